"""`python -m tests.integration.gateway.replicas [--events N] [--seed N]`: replicas join, are killed, stopped, and end.

Under load, on this machine alone: real processes, simulated engines, an API server in memory. The engines' own record
judges whether a partition or a model ever had more in flight than it may. The last line on stdout is the outcome as
JSON, which goes to build/chaos/gateway.json as well. Exit code 0 when there was never too much, 1 otherwise, 130 for Ctrl-C.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from controller.telemetry.logs import configure_logs
from tests.integration.gateway.replicas.program import DEFECTS
from tests.integration.gateway.replicas.site import Site, chaos

FOLDER = Path("build/chaos")
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run, write, judge."""
    options = _options(argv)
    configure_logs("error", human=False)
    try:
        verdict = asyncio.run(
            chaos(
                options.events,
                options.seed,
                defect=options.defect,
                tell=lambda at, site: _tell(at, options.events, site),
            )
        )
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return _INTERRUPTED
    sys.stderr.write("\n")
    text = verdict.text()
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "gateway.json").write_text(text + "\n")
    sys.stdout.write(text + "\n")
    return 1 if verdict.excesses else 0


def _tell(at: int, events: int, site: Site) -> None:
    sys.stderr.write(
        f"\r{at + 1} of {events}: {', '.join(f'{what} {n}' for what, n in sorted(site.events.items()))}   "
    )


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.gateway.replicas", description=__doc__)
    parser.add_argument("--events", type=int, default=100, help="how many things happen (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="decides what happens to whom and when (default: 1)")
    parser.add_argument(
        "--defect", choices=sorted(DEFECTS), default="", help="put in on purpose, to see that the judge notices"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
