"""Connections without a network: what one end writes waits until the other end takes it, and time is virtual."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from tests.fakes.virtual_loop import VirtualLoop

HIGH = 65_536
"""Bytes unread by the other end at which a writer is told to pause, unless it sets another mark."""
PIECE = 65_536
"""Bytes that a loop reads at once: a buffer may be beyond its mark by so many."""


class Wire(asyncio.Transport):
    """The gateway's end of one connection. The other end is whoever calls `arrive`, `take`, `end` and `reset`.

    `written` is everything that the gateway has ever written; of it, `unread` bytes are not taken yet.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol) -> None:
        super().__init__({"peername": ("10.0.0.1", 40_000)})
        self._loop = loop
        self._protocol = protocol
        self.written = bytearray()
        self.unread = 0
        self.most_unread = 0
        self.lost = False
        self.arrived = bytearray()
        self._high = HIGH
        self._told_to_pause = False
        self._reading = True
        self._closing = False
        self._coming: list[bytes | None] = []  # None is the other end's end
        self._has_ended = False
        self._was_reset = False
        protocol.connection_made(self)

    # --- the gateway's end ---

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._was_reset or self._has_ended:
            self._lose(ConnectionResetError("reset"))
        if self._closing or not data:
            return
        self.written += data
        self.unread += len(data)
        self.most_unread = max(self.most_unread, self.unread)
        if self.unread > self._high and not self._told_to_pause:
            self._told_to_pause = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = HIGH if high is None else high

    def get_write_buffer_size(self) -> int:
        return self.unread

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """Nothing follows what was written."""

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            if not self.unread:
                self._lose(None)

    def abort(self) -> None:
        self._closing = True
        self._lose(None)

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self._loop.call_soon(self._deliver)

    def is_reading(self) -> bool:
        return self._reading

    # --- the other end ---

    def arrive(self, data: bytes) -> None:
        """The other end has sent this."""
        self.arrived += data
        self._coming.append(data)
        self._deliver()

    def end(self) -> None:
        """The other end has closed: it sends no more, and answers what is written to it with a reset."""
        self._has_ended = True
        self._coming.append(None)
        self._deliver()

    def reset(self) -> None:
        """The other end is gone at once; that is noticed where somebody reads or writes."""
        self._was_reset = True
        self._coming.clear()
        if self._reading:
            self._lose(ConnectionResetError("reset"))

    def take(self) -> None:
        """The other end reads all that there is."""
        self.unread = 0
        if self._told_to_pause:
            self._told_to_pause = False
            if not self.lost:
                self._protocol.resume_writing()
        if self._closing:
            self._lose(None)

    def _deliver(self) -> None:
        while self._coming and self._reading and not self._closing:
            data = self._coming.pop(0)
            if data is not None:
                self._protocol.data_received(data)
            elif not self._protocol.eof_received():
                self.close()
        if self._was_reset and self._reading:
            self._lose(ConnectionResetError("reset"))

    def _lose(self, error: Exception | None) -> None:
        if not self.lost:
            self.lost = self._closing = True
            self.unread = 0
            self._loop.call_soon(self._protocol.connection_lost, error)


class Listening:
    """What a server's caller needs of it."""

    def __init__(self) -> None:
        self.sockets = (self,)

    def getsockname(self) -> tuple[str, int]:
        return "10.0.0.2", 8080

    def close(self) -> None:
        """Accept no more."""


class WireLoop(VirtualLoop):
    """A loop whose connections are wires. `connect` says what becomes of the gateway's own; it may raise OSError."""

    def __init__(self) -> None:
        super().__init__()
        self.accept: Callable[[], asyncio.Protocol] = cast("Callable[[], asyncio.Protocol]", None)
        self.connected: Callable[[int, Wire], None] = lambda _port, _wire: None
        self.connecting: Callable[[int], float] = lambda _port: 0.0
        self.wrong: list[str] = []
        self.set_exception_handler(self._note)

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.wrong.append(f"{context['message']}: {context.get('exception')!r}")

    async def create_server(self, protocol_factory: Any, *_: Any, **__: Any) -> Any:
        self.accept = protocol_factory
        return Listening()

    # Of all the options that a loop has for this, the gateway uses these.
    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Any, _host: Any = None, port: Any = None, **_: Any
    ) -> Any:
        await asyncio.sleep(self.connecting(port))
        protocol = protocol_factory()
        wire = Wire(self, protocol)
        self.connected(port, wire)
        return wire, protocol

    def client(self) -> Wire:
        """A client connects."""
        return Wire(self, self.accept())
