from controller.qos.concurrency_limit import ConcurrencyLimit
from controller.qos.settings import LimitSettings


def test_answers_that_took_no_time_at_all_leave_the_limit_at_its_seats() -> None:
    """As a clock of milliseconds says of an engine on the same machine."""
    limit = ConcurrencyLimit(LimitSettings(), seats=64, guaranteed=0)
    for _ in range(1000):
        limit.sampled(0.0, 64)
    assert limit.value == 64
