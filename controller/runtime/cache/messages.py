"""What the state machine of list and watch and its shell say to each other. Pure data.

Actions say what to do next, reports what happened, changes what the copy must do. They are msgspec Structs because
three of them are made for every event of a watch: one takes 0.06 us, a frozen dataclass 0.36 us.
"""

from enum import StrEnum
from typing import Generic, TypeAlias

from msgspec import Struct

from controller.runtime.cache.object_type import T


class Failure(StrEnum):
    """Why a list or watch failed, as far as the reaction differs."""

    EXPIRED = "Expired"
    """The version is unknown to the server (too old, or in its future): read anew, from the quorum."""
    UNREACHABLE = "Unreachable"
    """Nobody answered, or we were asked to slow down: the version is as good as before."""
    UNSUPPORTED = "Unsupported"
    """The request was understood and is not one that this server serves: no streaming list will be."""
    STALLED = "Stalled"
    """A streaming list did not come to its end in time."""
    OTHER = "Other"
    """Refused, or not understood: after a wait, list again."""


class ListPage(Struct, frozen=True):
    """Do: after `delay` seconds, list a page. `resource_version` None: the latest state."""

    delay: float
    resource_version: str | None
    limit: int
    continue_token: str | None


class Watch(Struct, frozen=True):
    """Do: after `delay` seconds, watch from `resource_version`, asking the server to end it after the timeout.

    `initial_events`: a streaming list, of a state not older than `resource_version` (None: the latest).
    """

    delay: float
    resource_version: str | None
    timeout_seconds: int
    initial_events: bool = False


Action: TypeAlias = ListPage | Watch


class PageListed(Struct, Generic[T], frozen=True):
    """Happened: a page came."""

    items: list[T]
    resource_version: str
    continue_token: str | None


class WatchOpened(Struct, frozen=True):
    """Happened: a watch is about to be opened."""


class EventSeen(Struct, Generic[T], frozen=True, gc=False):
    """Happened: a watch brought an event. `type` is ADDED, MODIFIED or DELETED."""

    type: str
    object: T


class BookmarkSeen(Struct, frozen=True, gc=False):
    """Happened: a watch brought a bookmark. `ends_initial`: all initial events came before it."""

    resource_version: str
    ends_initial: bool = False


class WatchEnded(Struct, frozen=True):
    """Happened: the server ended the watch in order."""


class RelistAsked(Struct, frozen=True):
    """Happened: somebody needs the state as it is now; of a watch one only knows that it does not go back."""


class Failed(Struct, frozen=True):
    """Happened: the list or watch failed. `retry_after`: seconds that the server asked to wait, None if it did not."""

    failure: Failure
    retry_after: float | None = None


Report: TypeAlias = PageListed[T] | WatchOpened | EventSeen[T] | BookmarkSeen | WatchEnded | RelistAsked | Failed


class Replaced(Struct, Generic[T], frozen=True):
    """The copy must hold exactly `items`; what it has besides was deleted while nobody looked."""

    items: list[T]


class Applied(Struct, Generic[T], frozen=True, gc=False):
    """The copy must hold `object`."""

    object: T


class Removed(Struct, Generic[T], frozen=True, gc=False):
    """The copy must not hold `object` (its last state)."""

    object: T


Change: TypeAlias = Replaced[T] | Applied[T] | Removed[T]
