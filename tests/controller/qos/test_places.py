"""Which pod a request goes to, first and again."""

import pytest

from controller.qos.settings import Member, ModelSettings, PartitionSettings, QoSSettings
from tests.controller.qos.ledger import Ledger
from tests.controller.qos.simulation import CLASSES, FIXED


def pods(*seats: int, **changed: object) -> Ledger:
    """A model with a pod of so many seats at a partition each."""
    model = ModelSettings("a", "standard", **changed)  # type: ignore[arg-type]
    parts = {
        f"p{at}": PartitionSettings(f"p{at}", (Member(f"pod-{at}", "a", count),)) for at, count in enumerate(seats)
    }
    return Ledger(QoSSettings(CLASSES, {"a": model}, parts, limit=FIXED))


def counts(ledger: Ledger) -> list[int]:
    return [ledger.count(endpoint) for endpoint in ledger.member]


def test_the_pod_with_the_smallest_part_of_its_seats_taken_is_next() -> None:
    ledger = pods(8, 4, 2)
    for _ in range(7):
        ledger.arrive("a")
    assert counts(ledger) == [4, 2, 1]


@pytest.mark.parametrize("replicas", [9, 40])
def test_of_many_pods_none_is_left_out_or_overrun(replicas: int) -> None:
    ledger = pods(*[10] * replicas)
    for _ in range(5 * replicas):
        ledger.arrive("a")
    assert max(counts(ledger)) - min(counts(ledger)) <= 2


def test_who_waits_goes_wherever_a_seat_comes_free_first() -> None:
    ledger = pods(1, 1)
    first, second = ledger.arrive("a"), ledger.arrive("a")
    waits = ledger.arrive("a")
    ledger.complete(second)
    assert waits.member == ledger.member[ledger.flying[waits]]
    assert ledger.flying[waits] != ledger.flying[first]


def test_who_is_given_back_goes_to_another_pod_at_once() -> None:
    ledger = pods(2, 2)
    request = ledger.arrive("a")
    failed = ledger.flying[request]
    ledger.give_back(request, frozenset({failed}))
    assert ledger.flying[request] not in ("", failed)


def test_who_is_given_back_waits_before_all_others_for_another_pod() -> None:
    ledger = pods(1, 1)
    first, second = ledger.arrive("a"), ledger.arrive("a")
    behind = ledger.arrive("a", tenant="other")
    ledger.give_back(first, frozenset({ledger.flying[first]}))
    assert behind in ledger.flying  # the seat was free for it, and not for the one that failed there
    ledger.complete(second)
    assert first in ledger.flying


def test_who_has_failed_everywhere_is_refused() -> None:
    ledger = pods(1, 1)
    request = ledger.arrive("a")
    ledger.give_back(request, frozenset({ledger.flying[request]}))
    ledger.give_back(request, frozenset({"pod-0", "pod-1"}))
    assert [why.reason for _, why in ledger.refused] == ["NoEndpoint"]


def test_a_draining_pod_keeps_what_it_has_and_gets_nothing() -> None:
    ledger = pods(2, 2)
    requests = [ledger.arrive("a") for _ in range(4)]
    there = [one for one in requests if ledger.flying[one] == "pod-0"]
    parts = dict(ledger.settings.partitions)
    parts["p0"] = PartitionSettings("p0", (Member("pod-0", "a", 2, ready=False),))
    ledger.configure(QoSSettings(CLASSES, ledger.settings.models, parts, limit=FIXED))
    assert all(one in ledger.flying for one in there)
    ledger.complete(there[0])
    waits = ledger.arrive("a")
    assert waits in ledger.waiting
    assert ledger.manager.statistics().partitions["p0"].in_flight == 1


def test_a_maximum_counts_over_all_pods_and_those_passed_over_are_served_when_it_allows() -> None:
    ledger = pods(4, 4, 4, maximum=3)
    requests = [ledger.arrive("a") for _ in range(5)]
    assert sum(counts(ledger)) == 3
    for request in requests[:2]:
        ledger.complete(request)
    assert all(one in ledger.flying for one in requests[2:])
