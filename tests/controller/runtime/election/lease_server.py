"""A Lease in memory, for virtual time: what an API server keeps of one, and answers that fail or hang on demand."""

import asyncio
from collections import deque
from collections.abc import Callable

from controller.runtime.client.errors import AlreadyExists, Conflict, Unavailable
from controller.runtime.election.lease import LeaseRecord

Trouble = Callable[[], None] | float


def refuse() -> None:
    """Nobody listens."""
    raise Unavailable(0, "ConnectionFailed", "connection refused")


class FakeLease:
    """A LeaseObject. `trouble`: what befalls the next requests; a number is how many seconds one hangs.

    `unheard`: how many of the next writes are done although their answer does not come (for 1e6 s).
    """

    def __init__(self) -> None:
        self.record: LeaseRecord | None = None
        self.version = 0
        self.requests: list[str] = []
        self.trouble: deque[Trouble] = deque()
        self.always: Callable[[], None] | None = None
        self.unheard = 0

    def put(self, record: LeaseRecord) -> None:
        """Somebody else writes it."""
        self.record, self.version = record, self.version + 1

    async def read(self) -> tuple[LeaseRecord, str] | None:
        await self._begin("read")
        return None if self.record is None else (self.record, str(self.version))

    async def create(self, record: LeaseRecord) -> str:
        await self._begin("create")
        if self.record is not None:
            raise AlreadyExists(409, "AlreadyExists", "exists")
        return await self._write(record)

    async def replace(self, record: LeaseRecord, version: str) -> str:
        await self._begin("replace")
        if version != str(self.version):
            raise Conflict(409, "Conflict", "changed")
        return await self._write(record)

    async def _begin(self, request: str) -> None:
        self.requests.append(request)
        await asyncio.sleep(0.01)
        trouble = self.trouble.popleft() if self.trouble else self.always
        if isinstance(trouble, float):
            await asyncio.sleep(trouble)
        elif trouble is not None:
            trouble()

    async def _write(self, record: LeaseRecord) -> str:
        self.put(record)
        if self.unheard:
            self.unheard -= 1
            await asyncio.sleep(1e6)
        return str(self.version)
