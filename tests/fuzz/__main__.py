"""`python -m tests.fuzz [--subject SUBJECT] [--count N] [--sequences N] [--limit SECONDS] [--seed S]`.

Conversion: N drawn objects a kind and direction are converted to and fro, with edits; how many objects used each leaf of
the schema and how many edits each flat field saw is printed. Scheduler: N drawn histories of a cluster; the invariants
are judged after every step; how often each event really happened is printed. Gateway: scripts of what clients and
engines send, of who goes when and of reloads, for ten minutes, steered by the code that they reach. Exit code 0 when
nothing was lost or violated and enough was tried (from 5,000 objects on every count is at least a hundredth of N, from
2,000 histories or scripts on at least 1); 1 when not, 2 for bad input, 130 for Ctrl-C.
"""

import argparse
import sys
import traceback
from collections.abc import Mapping, Sequence

from e2e.plane.progress import Progress
from tests.fuzz.gateway import report as gateway
from tests.fuzz.scheduling import report as scheduling
from tests.fuzz.search import KINDS, Start, Tally, search

COUNT = 10_000
SEED = 1
SUBJECTS = ("conversion", "scheduler", "gateway", "all", "defects")
_SECONDS_AN_OBJECT = 0.006
_SHARE = 100
_ENOUGH_TO_COUNT = 5000
"""Below, a rare leaf may be rarer still by chance."""

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Search, print, judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--subject",
        choices=SUBJECTS,
        default="all",
        help="default: all; defects: whether the searches of scheduler and gateway find those put in on purpose",
    )
    parser.add_argument(
        "--count", type=_positive, default=COUNT, help=f"objects a kind and direction (default: {COUNT})"
    )
    parser.add_argument(
        "--sequences",
        type=_positive,
        default=scheduling.SEQUENCES,
        help=f"histories of the scheduler (default: {scheduling.SEQUENCES})",
    )
    parser.add_argument(
        "--limit",
        type=_positive,
        help="seconds for these, within which the last draw begins, and for the gateway "
        f"(default: {scheduling.LIMIT_SECONDS:.0f} and {gateway.LIMIT_SECONDS:.0f})",
    )
    parser.add_argument("--seed", type=int, default=SEED, help=f"another seed draws others (default: {SEED})")
    options = parser.parse_args(argv)
    passed: list[bool] = []
    try:
        if options.subject == "defects":
            passed.append(scheduling.found(scheduling.DEFECTS_WITHIN, options.seed))
            passed.append(gateway.found(gateway.DEFECTS_WITHIN, options.seed))
        if options.subject in ("conversion", "all"):
            passed += [_searched(kind, start, options.count, options.seed) for kind in KINDS for start in Start]
        if options.subject in ("scheduler", "all"):
            limit = options.limit or scheduling.LIMIT_SECONDS
            passed.append(scheduling.searched(options.sequences, options.seed, limit))
        if options.subject in ("gateway", "all"):
            passed.append(gateway.searched(options.seed, options.limit or gateway.LIMIT_SECONDS))
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return _INTERRUPTED
    return 0 if all(passed) else 1


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is none: give 1 or more")
    return number


def _searched(kind: str, start: Start, count: int, seed: int) -> bool:
    place, total = len(Start) * KINDS.index(kind) + list(Start).index(start) + 1, len(KINDS) * len(Start)
    title = f"{kind} from {start}, {count} objects, seed {seed}"
    try:
        with Progress().step(place, total, title, count * _SECONDS_AN_OBJECT) as step:
            tally = search(kind, start, count, seed, step.tick)
    except Exception:  # noqa: BLE001 - hypothesis raises what the check raised, with the object as a note
        sys.stdout.write(f"{title}: something is lost\n{traceback.format_exc()}\n")
        return False
    return report(title, tally, count)


def report(title: str, tally: Tally, count: int) -> bool:
    """Print the counts; whether all of them are large enough."""
    wanted = count // _SHARE if count >= _ENOUGH_TO_COUNT else 0
    sys.stdout.write(f"{title}: {tally.objects} kept\n")
    _print_counts("objects that use a leaf", tally.leaves)
    _print_counts("edits of a flat field", tally.edits)
    least, name = tally.rarest
    enough = least >= wanted
    sys.stdout.write(f"  least: {name} {least}, wanted {wanted}{'' if enough else ': too few'}\n")
    return enough and tally.objects >= count


def _print_counts(heading: str, counts: Mapping[str, int]) -> None:
    sys.stdout.write(f"  {heading}:\n")
    for name, count in counts.items():
        sys.stdout.write(f"    {count:7d}  {name}\n")


if __name__ == "__main__":
    sys.exit(main())
