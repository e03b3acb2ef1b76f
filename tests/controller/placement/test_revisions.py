"""Of one Deployment's waiting pods the newest revision's goes first, and nobody else loses a turn by it."""

from controller.placement.filters import kept_for
from controller.placement.revisions import newest_first
from controller.placement.scheduler import order
from controller.placement.snapshot import Reservation
from tests.builders.demand import demand
from tests.builders.gpu import gpu, with_partition


def test_the_newest_revision_takes_the_oldest_turn_of_its_deployment() -> None:
    old = demand("old", created_seconds=1.0, family="chat", revision=1)
    other = demand("other", created_seconds=2.0)
    new = demand("new", created_seconds=3.0, family="chat", revision=2)
    assert order([new, other, old]) == [new, other, old]


def test_revisions_trade_places_only_within_a_priority() -> None:
    urgent = demand("urgent", priority=9, family="chat", revision=1)
    new = demand("new", family="chat", revision=2)
    assert newest_first([urgent, new]) == [urgent, new]


def test_pods_of_one_revision_stay_in_their_order() -> None:
    pods = [demand(f"p{n}", created_seconds=float(n), family="chat", revision=3) for n in range(4)]
    assert newest_first(pods) == pods


def test_a_place_of_a_service_is_for_its_newest_revision_alone() -> None:
    (kept, *_) = with_partition(gpu(), 0, reservation=Reservation("", service="team-a/chat")).partitions
    assert kept_for(kept, demand(service="team-a/chat"))
    assert not kept_for(kept, demand(service="team-a/chat", newest=False))
    assert not kept_for(kept, demand(service="team-a/other"))
