"""The state machine of list and watch. Pure: no I/O, no clock; the shell in `reflector.py` does what it asks.

    Streaming --initial event--> Streaming          Streaming --bookmark that ends them--> Watching (the same stream)
    Streaming --failed: expired--> Streaming (later, from the quorum)
    Streaming --failed: unreachable--> Streaming (later)
    Streaming --failed: unsupported--> Listing (at once, and never Streaming again)
    Streaming --ended or stalled too soon, failed: other--> Listing (later, once)

    Listing --page (more)--> Listing                Listing --last page--> Watching
    Listing --failed--> Streaming, or Listing where that is unsupported (later)

    Watching --event, bookmark--> Watching          Watching --ended--> Watching (at the last version)
    Watching --ended, long and silent--> Checking   Watching --failed: unreachable--> Watching (later, same version)
    Watching --failed: expired--> as after Listing failed, from the quorum     --failed: other--> the same, not older
    Watching --relist asked--> Streaming, or Listing where that is unsupported, from the quorum

    Checking --page--> Watching                     Checking --failed--> as after Watching failed

A server does not refuse a watch from a version that it has not reached (after its etcd was restored, say): it keeps
silent until it gets there (kube-apiserver 1.35 does). Hence Checking: a list of one object, not older than that, is
refused. And hence the short watch after a server was away, when that may have been why.

The shell asks `next_action()`, waits `delay`, does it, and reports with `step(report, now)`. A step answers with what
the copy must do: `Replaced` (hold exactly these), `Applied`, `Removed`, or None. Reports that the phase does not know
raise `UnexpectedReport`: the shell has a bug.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, Final, Generic, TypeAlias

from controller.runtime.cache.backoff import Backoff
from controller.runtime.cache.messages import (
    Action,
    Applied,
    BookmarkSeen,
    Change,
    EventSeen,
    Failed,
    Failure,
    ListPage,
    PageListed,
    RelistAsked,
    Removed,
    Replaced,
    Report,
    Watch,
    WatchEnded,
    WatchOpened,
)
from controller.runtime.cache.object_type import T
from controller.runtime.manifest import key_of, version_of

PAGE_LIMIT: Final = 500
WATCH_TIMEOUT_SECONDS: Final = (300, 600)
"""The server is asked to end each watch after a random time in here: many watches must not come back together."""
WATCH_AFTER_ABSENCE_SECONDS: Final = (30, 60)
"""The same for a watch that follows a failure to reach the server."""
SILENT_WATCH_SECONDS: Final = 20.0
"""A watch that lasted longer and brought nothing, not even a bookmark, leaves doubts about its version."""
SHORT_WATCH_SECONDS: Final = 1.0
"""A watch that ends sooner counts as a failure if it brought nothing, or if the one before ended as soon: else a
proxy that answers each watch with an empty answer, or with one bookmark, makes a busy loop."""
_ANY_VERSION: Final = "0"
"""Lists what the server has in memory. A streaming list needs no such favour: served from memory, it is current."""


class Phase(StrEnum):
    """What the machine is about to do, or doing."""

    STREAMING = "Streaming"
    LISTING = "Listing"
    WATCHING = "Watching"
    CHECKING = "Checking"


class UnexpectedReport(ValueError):
    """A report that the phase does not know, or an event of an unknown type."""


@dataclass(frozen=True, slots=True)
class ReflectionStatistics:
    """Where the machine is and what it has seen.

    `streams` and `lists` are those that completed (streaming, paged); `watches` were opened, `events` came after a
    first state was known, `failures` include watches that ended too soon.
    """

    phase: Phase
    resource_version: str | None
    streams: int
    lists: int
    watches: int
    events: int
    failures: int


_Handler: TypeAlias = Callable[[Any, float], Change[T] | None]


class Reflection(Generic[T]):
    """Decides what is listed or watched next, and what each answer changes. Not shared between tasks.

    `streaming` False: paged lists only. The version it lists at is, in turn: for a first list the latest state
    (streaming) or what the server has in memory (paged); for a later one not older than what was seen; the latest
    state once the server did not know that version.
    """

    def __init__(self, rng: Random, *, streaming: bool = True) -> None:
        self._rng = rng
        self._backoff = Backoff(rng)
        self._streaming = streaming
        self._phase = Phase.STREAMING if streaming else Phase.LISTING
        self._version: str | None = None
        self._quorum = False
        self._token: str | None = None
        self._pages: list[T] = []
        self._initial: dict[str, T] = {}
        self._delay = 0.0
        self._opened_at = 0.0
        self._fruitless = True
        self._was_short = False
        self._was_away = False
        self._streams = self._lists = self._watches = self._events = self._failures = 0
        self._table: dict[tuple[Phase, type[Any]], _Handler[T]] = {
            (Phase.STREAMING, WatchOpened): self._on_opened,
            (Phase.STREAMING, EventSeen): self._on_initial_event,
            (Phase.STREAMING, BookmarkSeen): self._on_initial_bookmark,
            (Phase.STREAMING, WatchEnded): self._on_stream_cut,
            (Phase.STREAMING, Failed): self._on_stream_failed,
            (Phase.LISTING, PageListed): self._on_page,
            (Phase.LISTING, Failed): self._on_list_failed,
            (Phase.WATCHING, WatchOpened): self._on_opened,
            (Phase.WATCHING, EventSeen): self._on_event,
            (Phase.WATCHING, BookmarkSeen): self._on_bookmark,
            (Phase.WATCHING, WatchEnded): self._on_ended,
            (Phase.WATCHING, RelistAsked): self._on_relist_asked,
            (Phase.WATCHING, Failed): self._on_watch_failed,
            (Phase.CHECKING, PageListed): self._on_checked,
            (Phase.CHECKING, Failed): self._on_watch_failed,
        }

    @property
    def phase(self) -> Phase:
        """What the machine is about to do, or doing."""
        return self._phase

    def next_action(self) -> Action:
        """What to do now. Asking twice without a step in between gives the same kind of action again."""
        if self._phase is Phase.LISTING:
            version = self._version or (None if self._quorum else _ANY_VERSION)
            # A server answers "at least this version" from memory only when the list is not paged.
            return ListPage(self._delay, version, PAGE_LIMIT if version is None else 0, self._token)
        if self._phase is Phase.CHECKING:
            return ListPage(self._delay, self._version, 1, None)
        initial = self._phase is Phase.STREAMING
        short = self._was_away and not initial
        timeout = self._rng.randint(*(WATCH_AFTER_ABSENCE_SECONDS if short else WATCH_TIMEOUT_SECONDS))
        return Watch(self._delay, self._version, timeout, initial)

    def step(self, report: Report[T], now: float) -> Change[T] | None:
        """Take a report (`now` in seconds) and answer with what the copy must do. Raises UnexpectedReport."""
        handler = self._table.get((self._phase, type(report)))
        if handler is None:
            raise UnexpectedReport(f"{type(report).__name__} while {self._phase}: report what was asked for")
        return handler(report, now)

    def statistics(self) -> ReflectionStatistics:
        """The figures of this moment."""
        return ReflectionStatistics(
            self._phase, self._version, self._streams, self._lists, self._watches, self._events, self._failures
        )

    def _on_opened(self, _opened: WatchOpened, now: float) -> None:
        # Half a stream is worth nothing: what it brought may be gone since.
        self._initial = {}
        self._delay = 0.0
        self._opened_at = now
        self._fruitless = True
        self._watches += 1

    def _on_initial_event(self, event: EventSeen[T], _now: float) -> None:
        # No version is taken from these: they come in no order, so the last one's may be the oldest of all.
        if _exists_after(event):
            self._initial[key_of(event.object)] = event.object
        else:
            self._initial.pop(key_of(event.object), None)

    def _on_initial_bookmark(self, bookmark: BookmarkSeen, _now: float) -> Change[T] | None:
        if not bookmark.ends_initial:
            return None
        items, self._initial = list(self._initial.values()), {}
        self._fruitless = False
        self._streams += 1
        return self._hold(items, bookmark.resource_version)

    def _on_stream_cut(self, _ended: WatchEnded, now: float) -> None:
        self._leave_stream(now)

    def _on_stream_failed(self, failed: Failed, now: float) -> None:
        match failed.failure:
            case Failure.UNSUPPORTED:
                self._streaming = False
                self._failures += 1
                self._phase = Phase.LISTING
            case Failure.STALLED | Failure.OTHER:
                self._leave_stream(now)
            case Failure.EXPIRED | Failure.UNREACHABLE:
                self._start_over(failed, now)

    def _leave_stream(self, now: float) -> None:
        # Once only: what stopped this stream may be gone when the next is due, or stop a paged list just as well.
        self._phase = Phase.LISTING
        self._back_off(now)

    def _on_page(self, page: PageListed[T], _now: float) -> Change[T] | None:
        self._delay = 0.0
        self._pages.extend(page.items)
        self._token = page.continue_token
        if page.continue_token is not None:
            return None
        items, self._pages = self._pages, []
        self._lists += 1
        return self._hold(items, page.resource_version)

    def _on_list_failed(self, failed: Failed, now: float) -> None:
        # Half a list is worth nothing: its pages belong to one version.
        self._token, self._pages = None, []
        self._start_over(failed, now)

    def _on_event(self, event: EventSeen[T], _now: float) -> Change[T]:
        self._fruitless = False
        self._events += 1
        exists = _exists_after(event)
        self._version = version_of(event.object) or self._version
        return Applied(event.object) if exists else Removed(event.object)

    def _on_bookmark(self, bookmark: BookmarkSeen, _now: float) -> None:
        self._fruitless = False
        self._version = bookmark.resource_version

    def _on_ended(self, _ended: WatchEnded, now: float) -> None:
        self._was_away = False
        lasted = now - self._opened_at
        was_short, self._was_short = self._was_short, lasted < SHORT_WATCH_SECONDS
        if self._was_short and (was_short or self._fruitless):
            self._back_off(now)
        elif self._fruitless and lasted > SILENT_WATCH_SECONDS:
            self._phase = Phase.CHECKING

    def _on_checked(self, _page: PageListed[T], _now: float) -> None:
        self._delay = 0.0
        self._phase = Phase.WATCHING

    def _on_relist_asked(self, _asked: RelistAsked, _now: float) -> None:
        self._from_quorum()

    def _on_watch_failed(self, failed: Failed, now: float) -> None:
        if failed.failure is Failure.UNREACHABLE:
            self._was_away = True
            self._phase = Phase.WATCHING
            self._back_off(now, failed.retry_after)
        else:
            self._start_over(failed, now)

    def _hold(self, items: list[T], version: str) -> Replaced[T]:
        self._version = version
        self._was_away = False
        self._phase = Phase.WATCHING
        return Replaced(items)

    def _start_over(self, failed: Failed, now: float) -> None:
        if failed.failure is Failure.EXPIRED:
            self._from_quorum()
        self._list_anew()
        self._back_off(now, failed.retry_after)

    def _from_quorum(self) -> None:
        self._version, self._quorum = None, True
        self._list_anew()

    def _list_anew(self) -> None:
        self._phase = Phase.STREAMING if self._streaming else Phase.LISTING

    def _back_off(self, now: float, retry_after: float | None = None) -> None:
        self._initial = {}
        self._failures += 1
        self._delay = max(self._backoff.failed(now), retry_after or 0.0)


def _exists_after(event: EventSeen[Any]) -> bool:
    match event.type:
        case "ADDED" | "MODIFIED":
            return True
        case "DELETED":
            return False
    raise UnexpectedReport(f"watch event of type {event.type!r}: expected ADDED, MODIFIED or DELETED")
