from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.placement import filters
from controller.placement.decision import Decision, Placed
from controller.placement.demand import Demand
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Gpu, Node, Partition, Snapshot
from tests.builders.demand import demand
from tests.builders.gpu import FOREIGN, OURS, gpu
from tests.builders.node import node

MODES = ("SPX/NPS1", "DPX/NPS1", "DPX/NPS2", "QPX/NPS4", "CPX/NPS4")


@st.composite
def gpus(draw: st.DrawFn, number: int) -> Gpu:
    mode = draw(st.sampled_from(MODES))
    holders = draw(st.dictionaries(st.integers(0, 7), st.sampled_from([OURS, FOREIGN])))
    return gpu(number, mode, holders=holders, unhealthy=draw(st.sets(st.integers(0, 7), max_size=2)))


@st.composite
def clusters(draw: st.DrawFn) -> tuple[Node, ...]:
    return tuple(
        node(f"worker-{n}", *(draw(gpus(g)) for g in range(draw(st.integers(1, 2)))), fresh=draw(st.booleans()))
        for n in range(draw(st.integers(1, 3)))
    )


@st.composite
def demands(draw: st.DrawFn) -> list[Demand]:
    return [
        demand(f"d{n}", draw(st.sampled_from([10, 24, 40, 90, 180])), modes=sorted(draw(st.sets(st.sampled_from(MODES), max_size=2))))
        for n in range(draw(st.integers(1, 12)))
    ]  # fmt: skip


def fits(wanted: Demand, host: Node, card: Gpu, partition: Partition) -> bool:
    """What a place must be, said once more in the simplest way."""
    modes = wanted.requirement.modes
    able = partition.healthy and partition.bytes >= wanted.requirement.bytes and (not modes or card.mode in modes)
    return able and host.fresh and partition.holder is None


def placed(decisions: list[tuple[Demand, Decision]]) -> Iterator[tuple[Demand, Placed]]:
    for wanted, decision in decisions:
        if isinstance(decision, Placed):
            yield wanted, decision


def check(cluster: tuple[Node, ...], wanted: list[Demand]) -> None:
    decisions = ModelScheduler().cycle(Snapshot(cluster), wanted)
    taken = set()
    for each, decision in placed(decisions):
        place = decision.node.name, decision.partition.id
        assert place not in taken, f"{place} is given twice"
        assert fits(each, decision.node, decision.gpu, decision.partition), f"{each.key} does not fit {place}"
        taken.add(place)
    left = [
        (host, card, part)
        for host, card, part in Snapshot(cluster).partitions()
        if (host.name, part.id) not in taken
    ]  # fmt: skip
    for each, outcome in decisions:
        if not isinstance(outcome, Placed):
            assert not any(fits(each, *place) for place in left), f"{each.key} was refused and would have fitted"


@settings(deadline=None)
@given(clusters(), demands())
def test_places_are_free_fitting_given_once_and_none_is_overlooked(
    cluster: tuple[Node, ...], wanted: list[Demand]
) -> None:
    check(cluster, wanted)


def test_the_check_would_notice_a_missing_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    held, wanted = (node("worker-0", gpu(0, holders=dict.fromkeys(range(8), OURS))),), [demand()]
    check(held, wanted)
    kept = tuple(row for row in filters.PARTITION_FILTERS if row[0] != "PartitionHeld")
    monkeypatch.setattr(filters, "PARTITION_FILTERS", kept)
    with pytest.raises(RuntimeError, match="cannot hold it"):
        check(held, wanted)


def test_the_check_would_notice_a_place_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tuple(row for row in filters.PARTITION_FILTERS if row[0] != "PartitionTooSmall")
    monkeypatch.setattr(filters, "PARTITION_FILTERS", kept)
    with pytest.raises(AssertionError, match="does not fit"):
        check((node(),), [demand(gib=40)])
