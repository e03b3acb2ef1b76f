"""`python -m e2e.engine.fleet`: simulated engines for the pods of a plane until it is ended."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from e2e.engine.fleet.fleet import Fleet


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 after SIGINT or SIGTERM."""
    options = _parser().parse_args(argv)
    asyncio.run(_run(options))
    return 0


async def _run(options: argparse.Namespace) -> None:
    configuration = ClientConfiguration.from_kubeconfig(options.kubeconfig)
    with options.record.open("a", encoding="utf-8") as record:
        async with Client(configuration, user_agent="simulated-engines") as client, asyncio.TaskGroup() as tasks:
            fleet = Fleet(client, options.addresses, record, time_scale=options.time_scale)
            following = tasks.create_task(fleet.run(), name="fleet")
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, following.cancel)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m e2e.engine.fleet", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True, help="of the plane whose pods are followed")
    parser.add_argument("--addresses", type=Path, required=True, help="file that takes HOST:PORT by pod uid, as JSON")
    parser.add_argument("--record", type=Path, required=True, help="file that takes what is in flight")
    parser.add_argument("--time-scale", type=float, default=1.0, help="multiplies how long answers take")
    return parser


if __name__ == "__main__":
    sys.exit(main())
