"""The state machine of list and watch. Pure: no I/O, no clock; the shell in `reflector.py` does what it asks.

    Listing --page (more)--> Listing      Listing --last page--> Watching     Listing --failed--> Listing (later)
    Watching --event, bookmark--> Watching      Watching --ended--> Watching (at the last version)
    Watching --failed: unreachable--> Watching (later, same version)
    Watching --failed: expired--> Listing (quorum read)     Watching --failed: other--> Listing (later)

The shell asks `next_action()`, waits `delay`, does it, and reports with `step(input, now)`. A step answers with what
the copy must do: `Replaced` (hold exactly these), `Applied`, `Removed`, or None. Reports that the phase does not know
raise `UnexpectedInput`: the shell has a bug.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, Final, TypeAlias

from controller.runtime.cache.backoff import Backoff
from controller.runtime.manifest import Manifest, version_of

PAGE_LIMIT: Final = 500
WATCH_TIMEOUT_SECONDS: Final = (300, 600)
"""The server is asked to end each watch after a random time in here: many watches must not come back together."""
SHORT_WATCH_SECONDS: Final = 1.0
"""A watch that ends sooner and brought nothing counts as a failure: else an empty answer becomes a busy loop."""


class Phase(StrEnum):
    """What the machine is about to do, or doing."""

    LISTING = "Listing"
    WATCHING = "Watching"


class Failure(StrEnum):
    """Why a list or watch failed, as far as the reaction differs."""

    EXPIRED = "Expired"
    """The version is unknown to the server (too old, or in its future): read anew, from the quorum."""
    UNREACHABLE = "Unreachable"
    """Nobody answered, or we were asked to slow down: the version is as good as before."""
    OTHER = "Other"
    """Refused, or not understood: after a wait, list again."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """Do: after `delay` seconds, list a page. `resource_version` None: the latest state."""

    delay: float
    resource_version: str | None
    limit: int
    continue_token: str | None


@dataclass(frozen=True, slots=True)
class Watch:
    """Do: after `delay` seconds, watch from `resource_version`, asking the server to end it after the timeout."""

    delay: float
    resource_version: str
    timeout_seconds: int


Action: TypeAlias = ListPage | Watch


@dataclass(frozen=True, slots=True)
class PageListed:
    """Happened: a page came."""

    items: list[Manifest]
    resource_version: str
    continue_token: str | None


@dataclass(frozen=True, slots=True)
class WatchOpened:
    """Happened: a watch is about to be opened."""


@dataclass(frozen=True, slots=True)
class EventSeen:
    """Happened: a watch brought an event. `type` is ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: Manifest


@dataclass(frozen=True, slots=True)
class WatchEnded:
    """Happened: the server ended the watch in order."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Happened: the list or watch failed."""

    failure: Failure


Input: TypeAlias = PageListed | WatchOpened | EventSeen | WatchEnded | Failed


@dataclass(frozen=True, slots=True)
class Replaced:
    """The copy must hold exactly `items`; what it has besides was deleted while nobody looked."""

    items: list[Manifest]


@dataclass(frozen=True, slots=True)
class Applied:
    """The copy must hold `object`."""

    object: Manifest


@dataclass(frozen=True, slots=True)
class Removed:
    """The copy must not hold `object` (its last state)."""

    object: Manifest


Change: TypeAlias = Replaced | Applied | Removed


class UnexpectedInput(ValueError):
    """A report that the present phase cannot have caused."""


@dataclass(frozen=True, slots=True)
class ReflectionStatistics:
    """Where the machine stands and how often it had to start over."""

    phase: Phase
    resource_version: str | None
    lists: int
    watches: int
    events: int
    failures: int


class Reflection:
    """One collection's list and watch. `rng` spreads waits and watch timeouts."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._backoff = Backoff(rng)
        self._phase = Phase.LISTING
        self._delay = 0.0
        # "0" for the first list: whatever the server has in memory; the watch from there brings the rest.
        self._version: str | None = "0"
        self._token: str | None = None
        self._pages: list[Manifest] = []
        self._opened_at = 0.0
        self._fruitless = True
        self._lists = self._watches = self._events = self._failures = 0
        self._table: dict[tuple[Phase, type], Callable[[Any, float], Change | None]] = {
            (Phase.LISTING, PageListed): self._on_page,
            (Phase.LISTING, Failed): self._on_list_failed,
            (Phase.WATCHING, WatchOpened): self._on_opened,
            (Phase.WATCHING, EventSeen): self._on_event,
            (Phase.WATCHING, WatchEnded): self._on_ended,
            (Phase.WATCHING, Failed): self._on_watch_failed,
        }

    def next_action(self) -> Action:
        """What to do now. Asking twice without a step in between gives the same kind of action again."""
        if self._phase is Phase.WATCHING and self._version is not None:
            return Watch(self._delay, self._version, self._rng.randint(*WATCH_TIMEOUT_SECONDS))
        # A server answers "at least this version" from memory only when the list is not paged.
        limit = PAGE_LIMIT if self._version is None else 0
        return ListPage(self._delay, self._version, limit, self._token)

    def step(self, happened: Input, now: float) -> Change | None:
        """Take a report (`now` in seconds) and answer with what the copy must do. Raises UnexpectedInput."""
        handler = self._table.get((self._phase, type(happened)))
        if handler is None:
            raise UnexpectedInput(f"{type(happened).__name__} while {self._phase}: report what was asked for")
        return handler(happened, now)

    def statistics(self) -> ReflectionStatistics:
        """The figures of this moment."""
        return ReflectionStatistics(
            self._phase, self._version, self._lists, self._watches, self._events, self._failures
        )

    def _on_page(self, page: PageListed, _now: float) -> Change | None:
        self._delay = 0.0
        self._pages.extend(page.items)
        self._token = page.continue_token
        if page.continue_token is not None:
            return None
        items, self._pages = self._pages, []
        self._version = page.resource_version
        self._phase = Phase.WATCHING
        self._lists += 1
        return Replaced(items)

    def _on_list_failed(self, failed: Failed, now: float) -> None:
        # Half a list is worth nothing: its pages belong to one version.
        self._token, self._pages = None, []
        if failed.failure is Failure.EXPIRED:
            self._version = None
        self._back_off(now)

    def _on_opened(self, _opened: WatchOpened, now: float) -> None:
        self._delay = 0.0
        self._opened_at = now
        self._fruitless = True
        self._watches += 1

    def _on_event(self, event: EventSeen, _now: float) -> Change | None:
        self._fruitless = False
        self._events += 1
        self._version = version_of(event.object) or self._version
        match event.type:
            case "ADDED" | "MODIFIED":
                return Applied(event.object)
            case "DELETED":
                return Removed(event.object)
            case "BOOKMARK":
                return None
        raise UnexpectedInput(f"watch event of type {event.type!r}: expected ADDED, MODIFIED, DELETED or BOOKMARK")

    def _on_ended(self, _ended: WatchEnded, now: float) -> None:
        if self._fruitless and now - self._opened_at < SHORT_WATCH_SECONDS:
            self._back_off(now)

    def _on_watch_failed(self, failed: Failed, now: float) -> None:
        if failed.failure is Failure.EXPIRED:
            self._version = None
        if failed.failure is not Failure.UNREACHABLE:
            self._phase = Phase.LISTING
        self._back_off(now)

    def _back_off(self, now: float) -> None:
        self._failures += 1
        self._delay = self._backoff.failed(now)
