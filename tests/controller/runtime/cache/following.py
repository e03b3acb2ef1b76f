"""What a handler that believes every event would hold."""

from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.manifest import Manifest


def follow(mirror: dict[str, Manifest], event: StoreEvent) -> None:
    """Take one event; fails on one that contradicts those before it."""
    if event.type is EventType.DELETED:
        del mirror[event.key]
    else:
        assert event.new is not None
        assert (event.key in mirror) is (event.type is EventType.MODIFIED)
        assert event.old is mirror.get(event.key)
        mirror[event.key] = event.new
