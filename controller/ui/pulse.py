"""Whether what the map shows is still of now: informers that get no answer keep what they had, and say nothing.

    every few seconds: does the API server answer? + since when does a list or watch fail? -> the age of each kind

A page whose server lost the API server would otherwise look as live as ever.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Final, Protocol

from api.formats import rfc3339
from controller.runtime.cache.informer import CacheNotSynced
from controller.runtime.client.errors import ApiError, Timeout, Unavailable
from controller.runtime.client.resource import Resource
from controller.runtime.clock import Clock

#: Between two questions.
EVERY_SECONDS: Final = 5.0
#: Longest that one answer may take.
ANSWER_SECONDS: Final = 4.0
#: What is older than this is told on the page: more than two questions that come to nothing may take.
BEHIND_SECONDS: Final = 12.0
#: Longest that is waited for a list that is asked for anew; then it is asked for again.
REFRESH_SECONDS: Final = 60.0

#: The key of what is told where nothing is followed.
ALL: Final = "all"


class Followed(Protocol):
    """An informer, as far as it is looked at here."""

    resource: Resource

    @property
    def failing_since(self) -> float | None:
        """Since when lists and watches fail, monotonic seconds."""
        ...

    async def refresh(self, timeout: float) -> None:
        """Have the latest state listed. Raises CacheNotSynced."""
        ...


class Pulse:
    """Asks by `ask`, which raises the client's errors, for as long as `run` runs; before, nothing is known to be old.

    While the API server answers, a kind whose watch failed is listed anew: else it would be known to be of now only by
    its next event, which may be a minute away. After a silence that was told all kinds are: one may not have noticed.
    """

    def __init__(self, ask: Callable[[], Awaitable[object]], clock: Clock) -> None:
        self._ask, self._clock = ask, clock
        self._followed: tuple[Followed, ...] = ()
        self._answered: tuple[float, datetime] = (clock.monotonic(), clock.now())
        self._failing: dict[str, tuple[float, datetime]] = {}
        self._unproven: dict[str, tuple[float, datetime]] = {}
        self._refreshing: set[str] = set()

    async def run(self, followed: Iterable[Followed]) -> None:
        """Look after these until cancelled; all of them were listed a moment ago."""
        self._followed, self._answered = tuple(followed), (self._clock.monotonic(), self._clock.now())
        async with asyncio.TaskGroup() as group:
            while True:
                if await self._answers():
                    self._hear()
                    for each in self._followed:
                        name = each.resource.plural
                        doubtful = each.failing_since is not None or name in self._unproven
                        if doubtful and name not in self._refreshing:
                            self._refreshing.add(name)
                            group.create_task(self._refresh(each))
                await self._clock.sleep(EVERY_SECONDS)

    def _hear(self) -> None:
        """Note an answer; where none came for so long that it was told, each kind has to be listed to be of now."""
        now = self._clock.monotonic()
        if now - self._answered[0] > BEHIND_SECONDS:
            self._unproven = {each.resource.plural: self._answered for each in self._followed} | self._unproven
        self._answered = (now, self._clock.now())

    def ages(self) -> dict[str, float]:
        """How old what is shown of each kind may be, in seconds, by the resource's plural."""
        now = self._clock.monotonic()
        return {name: max(0.0, now - since) for name, (since, _) in self._since().items()}

    def behind(self) -> dict[str, dict[str, str]]:
        """What is not of now, and of when it is: rows by the resource's plural, or one row for `ALL`."""
        oldest = self._clock.monotonic() - BEHIND_SECONDS
        if self._followed and self._answered[0] < oldest:
            return {ALL: _row(self._answered[1])}
        return {name: _row(at) for name, (since, at) in self._since().items() if since < oldest}

    def _since(self) -> dict[str, tuple[float, datetime]]:
        """The moment that each kind is of at least: the last answer, or the first failure where that was before."""
        found = {}
        for each in self._followed:
            name, since = each.resource.plural, each.failing_since
            known = [self._answered, *([self._unproven[name]] if name in self._unproven else [])]
            if since is None:
                self._failing.pop(name, None)
            else:
                if name not in self._failing or self._failing[name][0] != since:
                    self._failing[name] = (since, self._clock.now())
                known.append(self._failing[name])
            found[name] = min(known)
        return found

    async def _answers(self) -> bool:
        """Whether the API server says something; that it refuses is an answer."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._ask()
        except (TimeoutError, Unavailable, Timeout):
            return False
        except ApiError:
            return True
        return True

    async def _refresh(self, followed: Followed) -> None:
        try:
            await followed.refresh(REFRESH_SECONDS)
            self._unproven.pop(followed.resource.plural, None)
        except CacheNotSynced:
            return  # its list fails as well: it is tried again with the next answer
        finally:
            self._refreshing.discard(followed.resource.plural)


def _row(since: datetime) -> dict[str, str]:
    return {"since": rfc3339(since.replace(microsecond=0))}
