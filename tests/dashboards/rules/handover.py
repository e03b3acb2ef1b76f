"""Between the operator's leaders: what only the leader tells is gone for a while, and alerts over it are to stand on."""

import re
from collections.abc import Iterator, Sequence

from controller.runtime.instrument import Instrument, Kind
from controller.telemetry import instruments
from controller.telemetry.instruments import OPERATOR
from dashboards.rules.expressions import HANDOVER_SECONDS
from tests.dashboards.rules.promtool import Case

OF_LEADER = {
    one.exported_name
    for one in vars(instruments).values()
    if isinstance(one, Instrument) and one.kind is Kind.GAUGE and one.processes == (OPERATOR,)
}
"""Gauges of the operator. Growth of its counters is looked at over longer than a handover."""
GONE = "and then no leader for longer than a handover"
HANDOVER = int(HANDOVER_SECONDS // 60)

_RUN = re.compile(r"(-?[0-9.]+)(?:([+-])([0-9.]+))?x([0-9]+)")


def without_leader(cases: Sequence[Case]) -> Iterator[Case]:
    """The first case of each alert that fires over what the leader tells, cut off as it does: it stands for a handover."""
    seen = set()
    for case in cases:
        told = [name for name in case.series if name.partition("{")[0] in OF_LEADER]
        if told and case.fires and case.alert not in seen:
            seen.add(case.alert)
            minute = min(case.fires)
            cut = {name: " ".join([*expanded(case.series[name])[: minute + 1], "stale"]) for name in told}
            fired = case.fires[minute]
            fires = {minute: fired, minute + HANDOVER: fired}
            yield Case(case.alert, f"{case.title}, {GONE}", {**case.series, **cut}, fires, (minute + HANDOVER + 1,))


def expanded(values: str) -> list[str]:
    """Each sample of promtool's notation."""
    found: list[str] = []
    for part in values.split():
        if part.startswith("_x"):
            found += ["_"] * int(part.removeprefix("_x"))
        elif run := _RUN.fullmatch(part):
            step = float(f"{run[2]}{run[3]}") if run[2] else 0.0
            found += [f"{float(run[1]) + step * index:.12g}" for index in range(int(run[4]) + 1)]
        else:
            found.append(part)
    return found
