"""The fake API server on a thread of its own: it answers while the test's event loop is blocked."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Self

from controller.runtime.client.core import LEASES
from controller.runtime.manifest import Manifest
from tests.fakes.api_server import FakeApiServer, Seen


class ApiThread:
    """Serves Leases. A context manager; its methods may be called from any other thread."""

    def __init__(self) -> None:
        self.api = FakeApiServer()
        self.api.serve(LEASES)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def start(self) -> None:
        """Listen, on the same port as before."""
        self._run(self.api.start())

    def stop(self) -> None:
        """Break all connections, and refuse new ones."""
        self._run(self.api.stop())

    def lease(self, key: str) -> Manifest | None:
        """The stored Lease."""
        return self.api.objects(LEASES).get(key)

    def put(self, lease: Manifest) -> None:
        """Somebody else writes a Lease."""
        self._loop.call_soon_threadsafe(self.api.put, LEASES, lease)

    def writes(self) -> list[Seen]:
        """Every request that was no read, oldest first."""
        return [seen for seen in self.api.seen if seen.method != "GET"]

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(5)
