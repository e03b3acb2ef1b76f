"""One watch on a FakeStore: the events it has not sent yet, as lines."""

import asyncio
from collections.abc import Callable

import orjson

from controller.runtime.client.resource import Resource
from controller.runtime.manifest import Manifest


class Watch:
    """Collects lines; `more` waits for them."""

    def __init__(self, resource: Resource, matches: Callable[[Manifest], bool]) -> None:
        self.resource = resource
        self._matches = matches
        self._lines: list[bytes] = []
        self._wake = asyncio.Event()

    def take(self, before: Manifest | None, after: Manifest | None) -> None:
        """A change: an object may also come into the selection, or leave it."""
        was = before is not None and self._matches(before)
        if after is not None and self._matches(after):
            self.send("MODIFIED" if was else "ADDED", after)
        elif was and before is not None:
            version = (after or before)["metadata"]["resourceVersion"]
            self.send("DELETED", {**before, "metadata": {**before["metadata"], "resourceVersion": version}})

    def send(self, kind: str, obj: Manifest) -> None:
        """One event."""
        self._lines.append(orjson.dumps({"type": kind, "object": obj}) + b"\n")
        self._wake.set()

    async def more(self, deadline: float) -> bytes:
        """The lines that came since, at least one; none when the deadline (of the loop's time) came first."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._wake.wait()
        except TimeoutError:
            return b""
        self._wake.clear()
        lines, self._lines = self._lines, []
        return b"".join(lines)
