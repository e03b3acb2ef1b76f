from collections import Counter
from functools import partial

import pytest

from tests.benchmarks.gateway.hour.compared import policies
from tests.benchmarks.gateway.hour.judge import jain, judge
from tests.benchmarks.gateway.hour.partition import Partition, work
from tests.benchmarks.gateway.hour.play import Outcome, Play
from tests.benchmarks.gateway.hour.policies import divided, first_come, strict_priority
from tests.benchmarks.gateway.hour.trace import BURSTS, CLASSES, TRAFFIC, Arrival, arrivals

CHAT, BATCH = TRAFFIC[0], TRAFFIC[-1]


def test_the_same_seed_gives_the_same_hour() -> None:
    assert arrivals(5) == arrivals(5)
    assert arrivals(5) != arrivals(5, seed=1)


def test_a_burst_is_seen_in_the_trace() -> None:
    burst = BURSTS[0]
    inside = [
        one
        for one in arrivals(15)
        if one.traffic.model == burst.model and burst.start <= one.at < burst.start + burst.seconds
    ]
    assert len(inside) / burst.seconds > 2 * CHAT.rate


def test_a_request_alone_takes_its_own_work() -> None:
    partition, arrival = Partition(2), Arrival(0.0, CHAT, "a", 800, 50)
    partition.begin(arrival, 1.0)
    assert partition.next_event() == pytest.approx(1.1)
    job, whole = partition.take(1.1)
    assert (job.first_token, whole) == (1.1, False)
    assert partition.next_event() == pytest.approx(2.1)
    assert partition.take(2.1)[1] is True
    assert (partition.in_flight, partition.next_event()) == (0, None)


def test_more_than_goes_at_full_speed_slows_all_down_alike() -> None:
    partition = Partition(2)
    for _ in range(4):
        partition.begin(Arrival(0.0, CHAT, "a", 800, 50), 0.0)
    assert partition.next_event() == pytest.approx(0.2)


def test_what_begins_later_slows_what_is_under_way() -> None:
    partition = Partition(1)
    partition.begin(Arrival(0.0, CHAT, "a", 800, 50), 0.0)
    partition.begin(Arrival(0.05, CHAT, "b", 8000, 50), 0.05)
    assert partition.next_event() == pytest.approx(0.15)


def test_a_better_class_goes_first_under_strict_priority_alone() -> None:
    trace = [Arrival(0.001 * number, BATCH if number < 40 else CHAT, "a", 800, 500) for number in range(80)]
    first = {
        name: [outcome.first_token_seconds or 99.0 for outcome in Play(partial(make, seats=10)).run(trace)]
        for name, make in (("fifo", first_come), ("strict", strict_priority))
    }
    assert sum(first["strict"][40:]) < sum(first["fifo"][40:])
    assert sum(first["strict"][:40]) > sum(first["fifo"][:40])


@pytest.mark.parametrize(
    "name", ["ours", "ours, deadlines told", "first come first served", "strict priority", "static split"]
)
def test_every_policy_answers_all_where_there_is_room(name: str) -> None:
    trace = arrivals(1)[::4]
    for make in policies(trace)[name]:
        outcomes = Play(make).run(trace)
        assert [outcome.arrival for outcome in outcomes] == list(trace)
        assert sum(outcome.in_time for outcome in outcomes) / len(trace) > 0.9


def test_seats_are_divided_without_a_rest() -> None:
    assert divided(10, [1, 1, 1]) in ([4, 3, 3], [3, 4, 3], [3, 3, 4])
    assert divided(7, [100, 1, 1]) == [5, 1, 1]


def test_the_verdict_counts_by_class_and_model() -> None:
    outcomes = [
        Outcome(Arrival(0.0, CHAT, "a", 1, 1), 0.1),
        Outcome(Arrival(0.0, CHAT, "a", 1, 1), 5.0),
        Outcome(Arrival(0.0, BATCH, "a", 1, 1), None),
    ]
    found = judge(outcomes, 2.0)
    assert (found.offered, found.goodput, found.worst_model) == (1.5, 0.5, 0.0)
    assert found.attainment == dict.fromkeys(CLASSES, 0.0) | {"interactive": 0.5}
    assert (found.fairness, found.neighbours) == (0.5, 1.0)


def test_fairness_is_between_one_over_all_and_one() -> None:
    assert jain([1, 1, 1, 1]) == 1.0
    assert jain([1, 0, 0, 0]) == 0.25
    assert jain([0, 0]) == 1.0


def test_the_hour_asks_for_nearly_all_that_the_partitions_can_do() -> None:
    load = Counter[str]()
    for arrival in arrivals(60):
        load[arrival.traffic.model] += sum(work(arrival)) / 3600  # type: ignore[assignment]
    assert 40 < sum(load.values()) < 48
