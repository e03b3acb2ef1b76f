"""Clients that do something again and again while certificates rotate, and a new one that trusts only what is published."""

import asyncio
import base64
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from controller.runtime.client.errors import ApiError
from e2e.plane import Plane


@dataclass
class Load:
    """What is done again and again, by name, with a pause between; each failure with the moment its try began."""

    pause_seconds: float = 0.01
    done: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[float, str]] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def tries(self) -> int:
        return self.done.total()

    async def repeat(self, name: str, act: Callable[[], Awaitable[object]]) -> None:
        while not self.stop.is_set():
            began = time.monotonic()
            try:
                await act()
            except (ApiError, OSError) as error:
                self.failures.append((began, f"{name}: {type(error).__name__}: {error}"))
            self.done[name] += 1
            await asyncio.sleep(self.pause_seconds)


async def handshake(plane: Plane, definition: str, host: str, port: int) -> None:
    """A new TLS connection that trusts what the definition says now, as an API server that just started would.

    An API server hears of every change: when the bundle changes between our look and the server's answer, another look
    is due. Raises ssl.SSLCertVerificationError when the bundle is the same after the refusal.
    """
    trusted = await _bundle(plane, definition)
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port, ssl=ssl.create_default_context(cadata=trusted))
        except ssl.SSLCertVerificationError:
            before, trusted = trusted, await _bundle(plane, definition)
            if trusted == before:
                raise
        else:
            writer.close()
            return


async def _bundle(plane: Plane, definition: str) -> str:
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition}"
    found: dict[str, Any] = await asyncio.to_thread(plane.admin.get, path)
    return base64.b64decode(found["spec"]["conversion"]["webhook"]["clientConfig"]["caBundle"]).decode()
