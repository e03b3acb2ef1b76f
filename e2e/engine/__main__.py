"""`python -m e2e.engine --model ID [--seats N] [--port N] [--record FILE]`: one simulated engine until it is ended.

It prints the port on which it listens.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from e2e.engine.server import serving
from e2e.engine.settings import EngineSettings
from e2e.engine.speed import Speed


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 after SIGINT."""
    options = _parser().parse_args(argv)
    try:
        asyncio.run(_serve(options))
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        sys.stderr.write(f"error: cannot listen on port {options.port}: {error}\n")
        return 1
    return 0


async def _serve(options: argparse.Namespace) -> None:
    settings = EngineSettings(
        model=options.model,
        names=tuple(options.name),
        seats=options.seats,
        by_priority=options.scheduling_policy == "priority",
        speed=Speed(floor=options.step_ms / 1000, prefill=options.prefill_us / 1e6),
    )
    with ExitStack() as stack:
        record = stack.enter_context(options.record.open("a", encoding="utf-8")) if options.record else None
        async with serving(settings, port=options.port, record=record) as served:
            sys.stdout.write(f"{served.port}\n")
            sys.stdout.flush()
            await asyncio.Event().wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m e2e.engine", description=__doc__)
    parser.add_argument("--model", default="simulated/model", help="what it serves")
    parser.add_argument("--name", action="append", default=[], help="a name it answers to; again for more")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0: any, printed")
    parser.add_argument("--seats", type=int, default=8, help="sequences served at once (max-num-seqs)")
    parser.add_argument("--scheduling-policy", choices=("fcfs", "priority"), default="fcfs")
    parser.add_argument("--step-ms", type=float, default=20.0, help="milliseconds of a step: a token a sequence")
    parser.add_argument("--prefill-us", type=float, default=50.0, help="microseconds a token of a prompt")
    parser.add_argument("--record", type=Path, help="file that takes what is in flight, a line of JSON a change")
    return parser


if __name__ == "__main__":
    sys.exit(main())
