"""The work queue's decisions, with the time given."""

import pytest

from controller.runtime.workqueue.statistics import ItemState, QueuedItem
from controller.runtime.workqueue.work_queue import WorkQueue


@pytest.fixture
def queue() -> WorkQueue[str]:
    return WorkQueue()


def take(queue: WorkQueue[str], now: float = 0.0) -> list[str]:
    """All that is ready."""
    taken = []
    while (item := queue.get(now)) is not None:
        taken.append(item)
    return taken


def test_first_added_is_first_out_and_once(queue: WorkQueue[str]) -> None:
    for item in ("b", "a", "b"):
        queue.add(item, 0.0)
    assert take(queue) == ["b", "a"]


def test_an_item_added_while_worked_on_comes_back_after_done(queue: WorkQueue[str]) -> None:
    queue.add("a", 0.0)
    take(queue)
    queue.add("a", 1.0)
    queue.add("a", 1.0)
    assert take(queue) == []
    queue.done("a", 2.0)
    assert take(queue) == ["a"]
    queue.done("a", 3.0)
    assert take(queue) == []


def test_done_without_get_is_a_bug(queue: WorkQueue[str]) -> None:
    with pytest.raises(ValueError, match="'a': not being worked on"):
        queue.done("a", 0.0)


def test_add_after_waits_for_its_time(queue: WorkQueue[str]) -> None:
    queue.add_after("late", 5.0, 0.0)
    queue.add_after("soon", 2.0, 0.0)
    assert queue.next_due() == 2.0
    assert take(queue, 1.9) == []
    assert take(queue, 2.0) == ["soon"]
    assert take(queue, 5.0) == ["late"]
    assert queue.next_due() is None


@pytest.mark.parametrize(
    ("delays", "want"),
    [
        pytest.param([5.0, 2.0], 2.0, id="a shorter delay moves it forward"),
        pytest.param([2.0, 5.0], 2.0, id="a longer one does not move it back"),
    ],
)
def test_of_several_delays_the_earliest_counts(queue: WorkQueue[str], delays: list[float], want: float) -> None:
    for delay in delays:
        queue.add_after("a", delay, 0.0)
    assert queue.next_due() == want
    assert take(queue, 10.0) == ["a"]
    queue.done("a", 10.0)
    assert take(queue, 20.0) == []


def test_higher_priority_is_first_out_and_within_one_who_was_first(queue: WorkQueue[str]) -> None:
    for item, priority in (("low", -100), ("a", 0), ("urgent", 5), ("b", 0)):
        queue.add(item, 0.0, priority)
    assert take(queue) == ["urgent", "a", "b", "low"]


@pytest.mark.parametrize(
    ("priorities", "want"),
    [
        pytest.param([-100, 0], ["x", "z", "y"], id="a higher one counts, with the place of the first add"),
        pytest.param([0, -100], ["x", "z", "y"], id="a lower one does not"),
        pytest.param([-100, -100], ["z", "x", "y"], id="the same changes nothing"),
    ],
)
def test_of_several_priorities_the_highest_counts(
    queue: WorkQueue[str], priorities: list[int], want: list[str]
) -> None:
    queue.add("x", 0.0, priorities[0])
    queue.add("y", 0.0, -100)
    queue.add("z", 0.0, 0)
    queue.add("x", 0.0, priorities[1])
    assert take(queue) == want


def test_an_add_ends_a_delay(queue: WorkQueue[str]) -> None:
    queue.add_after("a", 30.0, 0.0, priority=5)
    queue.add("b", 1.0)
    assert queue.add("a", 10.0)
    assert take(queue, 10.0) == ["a", "b"]
    queue.done("a", 11.0)
    assert queue.next_due() is None
    assert take(queue, 100.0) == []


def test_a_delay_does_not_put_off_what_is_ready(queue: WorkQueue[str]) -> None:
    queue.add("a", 0.0)
    queue.add_after("a", 30.0, 0.0)
    assert take(queue, 0.0) == ["a"]


@pytest.mark.parametrize("later", ["add_after", "add_rate_limited"])
def test_the_priority_is_kept_when_work_asks_for_more(queue: WorkQueue[str], later: str) -> None:
    queue.add("low", 0.0, -100)
    take(queue)
    if later == "add_after":
        queue.add_after("low", 1.0, 0.0)
    else:
        queue.add_rate_limited("low", 0.0)
    queue.done("low", 0.0)
    queue.add("usual", 5.0)
    queue.release(5.0)
    assert [found.priority for found in queue.items(9, 5.0)] == [0, -100]
    assert take(queue, 5.0) == ["usual", "low"]


def test_delays_that_were_overtaken_do_not_pile_up(queue: WorkQueue[str]) -> None:
    for moment in range(10_000):
        queue.add_after("a", 3600.0, float(moment))
        queue.add("a", float(moment))
        take(queue, float(moment))
        queue.done("a", float(moment))
    assert len(queue._later) < 200


def test_raised_items_do_not_pile_up(queue: WorkQueue[str]) -> None:
    queue.add("stays", 0.0, 10**9)
    for priority in range(10_000):
        queue.add("a", 0.0, priority)
    assert len(queue._ready) < 200
    assert take(queue) == ["stays", "a"]


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_delay_is_now(queue: WorkQueue[str], seconds: float) -> None:
    queue.add_after("a", seconds, 0.0)
    assert take(queue) == ["a"]


def test_failures_wait_longer_and_longer_up_to_the_cap() -> None:
    queue: WorkQueue[str] = WorkQueue(first_delay=0.005, longest_delay=1.0)
    delays = [queue.add_rate_limited("a", 0.0) for _ in range(10)]
    assert delays == pytest.approx([0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0])


def test_many_failures_do_not_overflow(queue: WorkQueue[str]) -> None:
    for _ in range(5000):
        delay = queue.add_rate_limited("a", 0.0)
    assert delay == 1000.0


def test_each_item_has_its_own_failures_and_forget_clears_them(queue: WorkQueue[str]) -> None:
    queue.add_rate_limited("a", 0.0)
    assert queue.add_rate_limited("a", 0.0) == 0.01
    assert queue.add_rate_limited("b", 0.0) == 0.005
    queue.forget("a")
    assert (queue.failures("a"), queue.add_rate_limited("a", 0.0)) == (0, 0.005)


def test_shut_down_drops_what_waits_and_takes_nothing(queue: WorkQueue[str]) -> None:
    queue.add("working", 0.0)
    take(queue)
    queue.add("ready", 0.0)
    queue.add_after("late", 1.0, 0.0)
    queue.shut_down()
    queue.add("new", 0.0)
    queue.add_after("newer", 1.0, 0.0)
    queue.done("working", 1.0)
    assert take(queue, 10.0) == []


def test_draining_hands_out_what_is_ready_and_what_is_behind_a_worker(queue: WorkQueue[str]) -> None:
    queue.add("a", 0.0)
    take(queue)
    for item in ("a", "b"):
        queue.add(item, 0.0)
    queue.add_after("late", 1.0, 0.0)
    queue.shut_down(drain=True)
    queue.add("new", 0.0)
    assert take(queue, 10.0) == ["b"]
    assert not queue.drained
    assert queue.done("a", 11.0)
    assert take(queue, 12.0) == ["a"]
    assert queue.drained


@pytest.mark.parametrize(
    "limits", [pytest.param((0.0, 1.0), id="no first delay"), pytest.param((2.0, 1.0), id="above the cap")]
)
def test_delays_that_make_no_sense(limits: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="first_delay"):
        WorkQueue(first_delay=limits[0], longest_delay=limits[1])


def test_statistics(queue: WorkQueue[str]) -> None:
    for item in ("a", "b", "c"):
        queue.add(item, 0.0)
    queue.get(1.0)
    queue.get(2.0)
    queue.done("a", 4.0)
    queue.add_rate_limited("a", 4.0)
    found = queue.statistics(5.0)
    assert (found.depth, found.waiting, found.processing, found.failing) == (1, 1, 1, 1)
    assert (found.adds, found.retries, found.done) == (3, 1, 1)
    assert (found.queue_seconds, found.work_seconds) == (3.0, 3.0)
    assert (found.unfinished, found.longest) == (3.0, 3.0)
    assert queue.waited("b") == 2.0


def test_items_are_listed_as_they_will_be_taken(queue: WorkQueue[str]) -> None:
    for item in ("working", "low", "usual", "failing"):
        queue.add(item, 0.0, -100 if item == "low" else 0)
    queue.get(1.0)
    queue.add("working", 2.0)
    queue.add_after("late", 10.0, 2.0, priority=3)
    for _ in range(2):
        queue.add_rate_limited("failing", 2.0)
    assert queue.items(9, 3.0) == [
        QueuedItem("working", ItemState.PROCESSING, 0, 2.0, None, 0),
        QueuedItem("usual", ItemState.READY, 0, 3.0, None, 0),
        QueuedItem("failing", ItemState.READY, 0, 3.0, None, 2),
        QueuedItem("low", ItemState.READY, -100, 3.0, None, 0),
        QueuedItem("working", ItemState.BEHIND, 0, 1.0, None, 0),
        QueuedItem("late", ItemState.WAITING, 3, 1.0, 9.0, 0),
    ]
    assert [found.item for found in queue.items(2, 3.0)] == ["working", "usual"]
