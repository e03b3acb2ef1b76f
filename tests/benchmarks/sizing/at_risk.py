"""The rows called at risk, by what they have in common, and what they could have asked for to be called safe.

A verdict at risk is no guess at the end of one start: of starts with so little room some live and some die, and no flag
tells which. What takes the doubt away is a smaller share of the device, which our profiles say
(``controller/profiles/engine_arguments.py``); so the group is printed with the largest share that is called safe.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from controller.profiles.engine_arguments import USUAL_UTILIZATION
from controller.sizing.budget import Start
from controller.sizing.verdict import Outcome, judge
from tests.benchmarks.sizing.measures import Measured

_STEPS = 100
"""Shares are tried in hundredths, as people write them."""


def at_risk_notes(found: Sequence[Measured]) -> list[str]:
    """Lines for the report; those of starts within the share that our profiles ask for come last."""
    groups: dict[str, list[Measured]] = defaultdict(list)
    for row in found:
        if row.verdict.outcome is Outcome.AT_RISK:
            groups[_setup(row)].append(row)
    lines = [f"  {setup}: {_ends(rows)}; {_safe_share(rows)}" for setup, rows in sorted(groups.items())]
    return ["", "at risk, by setup, and the share of the device that is called safe:", *lines, *_within_usual(found)]


def largest_safe_share(start: Start) -> float | None:
    """The most, in hundredths, of what was asked for or less, with which the start is called safe; None if nothing is."""
    for hundredths in range(int(start.utilization * _STEPS), 0, -1):
        share = hundredths / _STEPS
        asked = replace(start, settings=replace(start.settings, gpu_memory_utilization=share))
        if judge(asked).outcome is Outcome.SAFE:
            return share
    return None


def _setup(row: Measured) -> str:
    start = row.start
    ranks = "1 rank" if start.tensor_parallel == 1 else f"{start.tensor_parallel} ranks"
    return f"{row.verdict.reason}, {row.row.gpu}, {ranks}, {start.utilization:g} asked for"


def _ends(rows: Sequence[Measured]) -> str:
    started = sum(row.failed is False for row in rows)
    failed = sum(row.failed is True for row in rows)
    return f"{started} started, {failed} failed"


def _safe_share(rows: Sequence[Measured]) -> str:
    shares = [largest_safe_share(row.start) for row in rows]
    known = [share for share in shares if share is not None]
    if len(known) < len(shares):
        return "not safe with any share"
    return f"safe with {min(known):g}"


def _within_usual(found: Sequence[Measured]) -> Iterator[str]:
    by_vendor: dict[str, list[Measured]] = defaultdict(list)
    for row in found:
        if row.failed is False and row.start.utilization <= USUAL_UTILIZATION:
            by_vendor[row.row.gpu_vendor or "vendor not said"].append(row)
    yield f"started, and asked for {USUAL_UTILIZATION:g} at most, as our profiles do where there is room:"
    for vendor, rows in sorted(by_vendor.items()):
        safe = sum(row.verdict.outcome is Outcome.SAFE for row in rows)
        yield f"  {vendor}: {safe} of {len(rows)} called safe"
