"""Which failures are worth repeating, and how long to wait: only where repeating cannot do a thing twice.

Below this, aiohttp repeats a read once when a kept connection turns out to be closed. It would repeat PUT and DELETE
as well; the transport keeps it from that, because a second DELETE may meet an object that was made anew in between.
"""

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from controller.runtime.client.errors import Timeout, TooManyRequests, Unavailable
from controller.runtime.clock import Clock

ATTEMPTS = 4
"""Sends of one request, the first included."""
_LONGEST_RETRY_AFTER_SECONDS = 10.0
_READS = frozenset({"GET", "HEAD"})
_jittered = wait_random_exponential(multiplier=0.2, max=5.0)


def worth_repeating(method: str, error: BaseException) -> bool:
    """Whether `error` of a `method` request says that nothing was done and that a moment may help.

    A 429 says so for every method, within 10 s; but not a disruption budget's, which a moment does not change.
    Reads also repeat when nobody answered, a 503's `Retry-After` within the same limit; but not one of a version that
    the server has not reached: after a restored backup it never will, and whoever asked must list anew.
    """
    if isinstance(error, TooManyRequests | Unavailable) and (error.retry_after or 0.0) > _LONGEST_RETRY_AFTER_SECONDS:
        return False
    if isinstance(error, TooManyRequests):
        return not error.by_disruption_budget
    if not isinstance(error, Timeout | Unavailable) or error.of_the_future:
        return False
    return method in _READS


def retrying(method: str, clock: Clock) -> AsyncRetrying:
    """The retry loop of one request; the last error is raised as it is."""
    return AsyncRetrying(
        sleep=clock.sleep,
        stop=stop_after_attempt(ATTEMPTS),
        wait=_wait,
        retry=retry_if_exception(lambda error: worth_repeating(method, error)),
        reraise=True,
    )


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, TooManyRequests | Unavailable) and error.retry_after is not None:
        # Never earlier than asked; jitter on top, so that those refused together do not return together.
        return error.retry_after + _jittered(state) * 0.1
    return float(_jittered(state))
