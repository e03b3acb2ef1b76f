"""One person's share of the server: what is too much is refused, with a time, and others have theirs."""

from contextlib import ExitStack

import pytest

from controller.ui.limits import (
    A_SECOND,
    BURST,
    MOST_QUESTIONS,
    MOST_STREAMS,
    QUESTION,
    Limits,
    TooMuch,
)
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def limits(clock: FakeClock) -> Limits:
    return Limits(clock)


def test_requests_come_back_with_time(limits: Limits, clock: FakeClock) -> None:
    for _ in range(int(BURST)):
        limits.request("anna")
    with pytest.raises(TooMuch) as refused:
        limits.request("anna")
    assert refused.value.retry == 1
    limits.request("ben")
    clock.tick(1.0)
    for _ in range(int(A_SECOND)):
        limits.request("anna")
    with pytest.raises(TooMuch):
        limits.request("anna")


def test_nobody_saves_up_more_than_a_burst(limits: Limits, clock: FakeClock) -> None:
    limits.request("anna")
    clock.tick(10_000)
    for _ in range(int(BURST)):
        limits.request("anna")
    with pytest.raises(TooMuch):
        limits.request("anna")


def test_questions_at_once_are_few_and_cost_more(limits: Limits) -> None:
    with ExitStack() as under_way:
        for _ in range(MOST_QUESTIONS):
            under_way.enter_context(limits.question("anna"))
        with pytest.raises(TooMuch, match="wait for an answer"):
            under_way.enter_context(limits.question("anna"))
        with limits.question("ben"):
            pass
    for _ in range(int(BURST / QUESTION) - MOST_QUESTIONS):
        with limits.question("anna"):
            pass
    with pytest.raises(TooMuch, match="too many requests") as refused, limits.question("anna"):
        pass
    assert refused.value.retry == QUESTION / A_SECOND


def test_pages_at_once_are_counted_down_when_they_close(limits: Limits) -> None:
    with ExitStack() as open_:
        for _ in range(MOST_STREAMS):
            open_.enter_context(limits.stream("anna"))
        with pytest.raises(TooMuch, match="close one"):
            open_.enter_context(limits.stream("anna"))
    with limits.stream("anna"):
        pass


def test_people_are_forgotten_but_for_those_with_something_under_way(clock: FakeClock) -> None:
    limits = Limits(clock, capacity=3)
    with limits.stream("anna"):
        for number in range(10):
            limits.request(f"user-{number}")
        assert sorted(limits._people) == ["anna", "user-8", "user-9"]
