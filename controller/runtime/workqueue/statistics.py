"""What a work queue tells of itself: its figures, and its items one by one."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

AnyItemT = TypeVar("AnyItemT")


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """Figures of one moment; durations in seconds.

    `depth`: ready items, `depths`: the same by priority (one that was seen stays, with 0); `waiting`: delayed ones;
    `processing`: with workers; `failing`: items with failures that were not forgotten; `unfinished`: summed age of
    what is with workers, `longest`: the oldest of it; `queue_seconds` and `work_seconds`: summed over all finished
    ones.
    """

    depth: int
    depths: Mapping[int, int]
    waiting: int
    processing: int
    failing: int
    adds: int
    retries: int
    done: int
    queue_seconds: float
    work_seconds: float
    unfinished: float
    longest: float


class ItemState(StrEnum):
    """Where an item is. BEHIND: added again while a worker has it, ready as soon as that ends."""

    PROCESSING = "processing"
    READY = "ready"
    BEHIND = "behind"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class QueuedItem(Generic[AnyItemT]):
    """One item. `age`: seconds since it was added or, with a worker, since that took it; `due_in`: seconds until a
    waiting one is ready, else None; `failures`: since they were last forgotten.
    """

    item: AnyItemT
    state: ItemState
    priority: int
    age: float
    due_in: float | None
    failures: int
