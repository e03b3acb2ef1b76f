"""The fence: open while the lease is surely held, and what it says when it is not."""

import pytest

from controller.runtime.election.fence import Fence, LeaseLost
from tests.fakes.clock import FakeClock


def fence(clock: FakeClock) -> Fence:
    return Fence("ns/lease", "me", clock.monotonic)


def problem(opened: Fence) -> str:
    with pytest.raises(LeaseLost) as raised:
        opened.check()
    assert not opened.open
    return str(raised.value)


def test_closed_before_the_lease_is_got() -> None:
    assert (
        problem(fence(FakeClock()))
        == "lease ns/lease is not held by 'me': not acquired yet; last known holder: 'nobody'"
    )


def test_open_until_the_last_moment_of_validity_and_not_longer() -> None:
    clock = FakeClock()
    opened = fence(clock)
    opened.extend(clock.monotonic() + 10)
    clock.tick(9.99)
    opened.check()
    clock.tick(0.01)
    opened.holder = "me"
    assert "not renewed, 0 s past the end of its validity; last known holder: 'me'" in problem(opened)


def test_a_renewal_moves_the_end() -> None:
    clock = FakeClock()
    opened = fence(clock)
    for _ in range(3):
        opened.extend(clock.monotonic() + 10)
        clock.tick(8)
        opened.check()


def test_closed_for_good_and_the_first_reason_counts() -> None:
    clock = FakeClock()
    opened = fence(clock)
    opened.extend(clock.monotonic() + 10)
    opened.holder = "other"
    opened.close("'other' holds it now")
    opened.close("ended")
    opened.extend(clock.monotonic() + 10)
    assert problem(opened) == "lease ns/lease is not held by 'me': 'other' holds it now; last known holder: 'other'"


def test_no_worker_takes_a_lost_lease_for_a_failure_to_be_repeated() -> None:
    lost = LeaseLost("ns/lease", "me", "other", "why")
    assert not isinstance(lost, Exception)
    assert (lost.lease, lost.identity, lost.holder, lost.why) == ("ns/lease", "me", "other", "why")
