import pytest

from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.objects.lease import Lease
from controller.state.heartbeats import FRESH_SECONDS, Heartbeats
from tests.builders.gpu_node import typed_lease
from tests.fakes.clock import FakeClock

NODE, KEY = "worker-0", "aim-gpu-system/worker-0"


def found(beat: int = 0) -> StoreEvent[Lease]:
    return StoreEvent(EventType.ADDED, KEY, None, typed_lease(NODE, beat=beat), initial=True)


def made(beat: int = 0) -> StoreEvent[Lease]:
    return StoreEvent(EventType.ADDED, KEY, None, typed_lease(NODE, beat=beat))


def moved(before: int, after: int) -> StoreEvent[Lease]:
    return StoreEvent(EventType.MODIFIED, KEY, typed_lease(NODE, beat=before), typed_lease(NODE, beat=after))


def gone(beat: int = 0) -> StoreEvent[Lease]:
    return StoreEvent(EventType.DELETED, KEY, typed_lease(NODE, beat=beat), None)


@pytest.mark.parametrize(
    ("told", "want"),
    [
        pytest.param([], False, id="nothing was heard"),
        pytest.param([found()], False, id="the first sight proves nothing"),
        pytest.param([found(), moved(0, 1)], True, id="a renewal does"),
        pytest.param([found(), moved(0, 0)], False, id="another change of the Lease does not"),
        pytest.param([made()], True, id="a Lease made since we started does"),
        pytest.param([found(), moved(0, 1), gone(1)], False, id="a Lease that is gone"),
        pytest.param([found(), moved(0, 1), gone(1), found(2)], False, id="found again after it was gone"),
    ],
)
def test_what_proves_that_an_agent_lives(told: list[StoreEvent[Lease]], want: bool) -> None:
    heartbeats = Heartbeats(FakeClock())
    for event in told:
        heartbeats.take(event)
    assert heartbeats.fresh(NODE) is want


@pytest.mark.parametrize(
    ("seconds", "want"),
    [pytest.param(FRESH_SECONDS, True, id="40 s"), pytest.param(FRESH_SECONDS + 0.001, False, id="a moment more")],
)
def test_a_renewal_vouches_for_forty_seconds(seconds: float, want: bool) -> None:
    clock = FakeClock()
    heartbeats = Heartbeats(clock)
    heartbeats.take(found())
    heartbeats.take(moved(0, 1))
    clock.tick(seconds)
    assert heartbeats.fresh(NODE) is want


def test_the_leases_own_time_is_not_believed() -> None:
    clock = FakeClock()
    heartbeats = Heartbeats(clock)
    heartbeats.take(found())
    clock.tick(3600)
    heartbeats.take(moved(0, 1))  # the agent's clock is an hour behind; we saw it move just now
    assert heartbeats.fresh(NODE)
    clock.tick(41)
    heartbeats.take(moved(1, 1))
    assert not heartbeats.fresh(NODE)


def test_a_silent_node_counts_out_only_once_there_was_time_to_hear_of_it() -> None:
    clock = FakeClock()
    heartbeats = Heartbeats(clock)
    heartbeats.take(made())
    assert not heartbeats.unsettled([NODE])
    assert heartbeats.unsettled([NODE, "worker-1"])
    clock.tick(FRESH_SECONDS + 1)
    assert not heartbeats.unsettled([NODE, "worker-1"])


def test_a_revival_is_told_once_not_at_every_beat() -> None:
    clock, told = FakeClock(), []
    heartbeats = Heartbeats(clock)
    heartbeats.on_revival(lambda: told.append(clock.monotonic()))
    heartbeats.take(found())
    assert told == []
    for beat in range(3):
        heartbeats.take(moved(beat, beat + 1))
        clock.tick(10)
    assert len(told) == 1
    clock.tick(60)
    heartbeats.take(moved(3, 4))
    assert len(told) == 2


def test_whoever_is_told_sees_the_node_fresh() -> None:
    heartbeats, seen = Heartbeats(FakeClock()), []
    heartbeats.on_revival(lambda: seen.append(heartbeats.fresh(NODE)))
    heartbeats.take(made())
    assert seen == [True]
