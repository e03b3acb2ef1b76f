from math import inf

from hypothesis import given
from hypothesis import strategies as st

from controller.gateway.timers import SLOT_SECONDS, TimerWheel


class Item:
    def __init__(self) -> None:
        self.deadline = inf
        self.slot = 0
        self.expired: list[float] = []

    def expire(self, now: float) -> None:
        self.expired.append(now)


def turned_to(wheel: TimerWheel, seconds: float) -> None:
    """As the gateway does it: a turn a slot."""
    while wheel.now + SLOT_SECONDS <= seconds:
        wheel.turn(wheel.now + SLOT_SECONDS)


def test_a_deadline_is_noticed_within_a_slot_after_it_and_never_before() -> None:
    wheel, item = TimerWheel(100.0), Item()
    wheel.watch(item, 103.1)
    turned_to(wheel, 103.0)
    assert item.expired == []
    turned_to(wheel, 103.5)
    assert item.expired == [103.25]


def test_a_deadline_that_moved_later_by_assignment_is_kept() -> None:
    wheel, item = TimerWheel(0.0), Item()
    wheel.watch(item, 1.0)
    item.deadline = 5.0
    turned_to(wheel, 4.9)
    assert item.expired == []
    turned_to(wheel, 6.0)
    assert item.expired == [5.0]


def test_a_deadline_that_moved_earlier_is_kept() -> None:
    wheel, item = TimerWheel(0.0), Item()
    wheel.watch(item, 60.0)
    wheel.watch(item, 1.0)
    turned_to(wheel, 2.0)
    assert item.expired == [1.0]
    assert len(wheel) == 0


def test_what_is_forgotten_does_not_expire_and_is_not_held() -> None:
    wheel, item = TimerWheel(0.0), Item()
    wheel.watch(item, 1.0)
    wheel.forget(item)
    turned_to(wheel, 2.0)
    assert item.expired == []
    assert len(wheel) == 0


def test_after_a_long_stop_all_that_is_due_expires_at_once() -> None:
    wheel, items = TimerWheel(0.0), [Item() for _ in range(3)]
    for number, item in enumerate(items):
        wheel.watch(item, float(number + 1))
    wheel.turn(1000.0)
    assert [item.expired for item in items] == [[1000.0]] * 3


class Forgetful(Item):
    def __init__(self, wheel: TimerWheel, others: "list[Forgetful]") -> None:
        super().__init__()
        self.wheel, self.others = wheel, others

    def expire(self, now: float) -> None:
        super().expire(now)
        for other in self.others:
            self.wheel.forget(other)


def test_one_that_expires_may_forget_another_of_its_slot() -> None:
    wheel, both = TimerWheel(0.0), list[Forgetful]()
    both += [Forgetful(wheel, both), Forgetful(wheel, both)]
    for item in both:
        wheel.watch(item, 1.0)
    turned_to(wheel, 2.0)
    assert sorted(item.expired for item in both) == [[], [1.0]]


@given(st.lists(st.tuples(st.sampled_from(["watch", "assign later", "turn", "forget"]), st.floats(0, 20)), max_size=40))
def test_whatever_happens_it_expires_once_in_time_or_not_at_all(steps: list[tuple[str, float]]) -> None:
    wheel, item = TimerWheel(0.0), Item()
    due = inf
    for step, seconds in steps:
        if step == "watch":
            due = wheel.now + seconds
            wheel.watch(item, due)
        elif step == "assign later" and item.slot and seconds:
            due = item.deadline = item.deadline + seconds
        elif step == "turn":
            before = len(item.expired)
            turned_to(wheel, wheel.now + seconds)
            if len(item.expired) > before:
                assert len(item.expired) == before + 1
                assert due <= item.expired[-1] <= max(due, 0.0) + 2 * SLOT_SECONDS
                due = inf
            assert due > wheel.now - 2 * SLOT_SECONDS
        elif step == "forget":
            wheel.forget(item)
            due = inf
