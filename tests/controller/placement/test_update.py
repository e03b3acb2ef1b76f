"""Ways from one revision of a service to the next, on snapshots that are left as they were."""

import pytest

from controller.placement.demand import Demand
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Gpu, Holder, Reservation, Snapshot
from controller.placement.update import Blocked, Possible, Update, Verdict, Way, decide_update
from tests.builders.demand import demand
from tests.builders.gpu import OURS, gpu, with_partition
from tests.builders.node import node


def held(*names: str, mode: str = "DPX/NPS1", number: int = 0) -> Gpu:
    """A GPU whose first partitions these claims hold; "" leaves one free."""
    return gpu(number, mode, holders={n: Holder("ours", f"team-a/{name}") for n, name in enumerate(names) if name})


def decided(wanted: Demand, claims: tuple[str, ...], *gpus: Gpu, pods: int | None = None) -> Verdict:
    names = tuple(f"team-a/{name}" for name in claims)
    update = Update(wanted, names, len(claims) if pods is None else pods)
    return decide_update(ModelScheduler(), Snapshot([node("worker-0", *gpus)]), update)


@pytest.mark.parametrize(
    ("wanted", "claims", "gpus", "want"),
    [
        pytest.param(demand(), ("a",), (held("a"),), Way.SURGE, id="room beside it"),
        pytest.param(demand(), ("a",), (held("a", "other"),), Way.ONE_BY_ONE, id="only its own place"),
        pytest.param(demand(), ("a", "b"), (held("a", "b"),), Way.ONE_BY_ONE, id="two in their own places"),
        pytest.param(demand(count=2), ("a", "b"), (held("a", "b"),), None, id="two that need two places each"),
        pytest.param(
            demand(count=2), ("a", "b"), (held("a", "b"), held(number=1)), Way.ONE_BY_ONE, id="pairs of one GPU"
        ),
        pytest.param(demand(gib=120), ("a",), (held("a"),), None, id="too large for every partition"),
    ],
)
def test_the_mildest_way_that_leads_to_the_end(
    wanted: Demand, claims: tuple[str, ...], gpus: tuple[Gpu, ...], want: Way | None
) -> None:
    verdict = decided(wanted, claims, *gpus)
    assert (verdict.way if isinstance(verdict, Possible) else None) is want


def test_all_old_pods_go_first_where_one_frees_too_little() -> None:
    verdict = decided(demand(count=2), ("a", "b"), held("a", "b"), pods=1)
    assert isinstance(verdict, Possible)
    assert verdict.way is Way.ONE_BY_ONE  # scaled in with the same change: one of the two goes anyway
    both = decided(demand(count=3), ("a", "b", "c", "d"), held("a", "b", "c", "d", mode="QPX/NPS1"), pods=1)
    assert isinstance(both, Possible)


def test_as_many_places_are_kept_as_pods_are_replaced() -> None:
    verdict = decided(demand(), ("a", "b"), held("a", "b"), held(number=1))
    assert isinstance(verdict, Possible)
    places = [partition.id for placed in verdict.places for partition in placed.partitions]
    assert len(set(places)) == 2


def test_a_blocked_update_says_what_is_missing_though_all_old_pods_were_gone() -> None:
    verdict = decided(demand(gib=120), ("a",), held("a"))
    assert isinstance(verdict, Blocked)
    assert "even without the old pods" in verdict.message
    assert "120.0 GiB" in verdict.message


def test_what_is_kept_for_another_services_update_is_no_place() -> None:
    kept = with_partition(held("a"), 1, reservation=Reservation("", service="team-a/other"))
    verdict = decided(demand(service="team-a/chat"), ("a",), kept)
    assert isinstance(verdict, Possible)
    assert verdict.way is Way.ONE_BY_ONE
    mine = with_partition(held("a"), 1, reservation=Reservation("", service="team-a/chat"))
    again = decided(demand(service="team-a/chat"), ("a",), mine)
    assert isinstance(again, Possible)
    assert again.way is Way.SURGE


def test_the_snapshot_is_left_as_it_was() -> None:
    snapshot = Snapshot([node("worker-0", held("a", "other"))])
    before = {partition.id: snapshot.holder(on, partition) for on, _, partition in snapshot.partitions()}
    decide_update(ModelScheduler(), snapshot, Update(demand(), ("team-a/a",), 1))
    assert {partition.id: snapshot.holder(on, partition) for on, _, partition in snapshot.partitions()} == before
    assert OURS not in before.values()
