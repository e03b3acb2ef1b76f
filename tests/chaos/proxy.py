"""A TCP proxy before the API server whose connections can be broken, held up or made slow while others use it."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from e2e.plane.ports import LOOPBACK

_CHUNK_BYTES = 64 * 1024
_CONNECT_SECONDS = 5.0
_NO_LINGER = struct.pack("ii", 1, 0)


class Proxy:
    """Carries bytes both ways, at first as they come. `carried`: bytes so far."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._passing = asyncio.Event()
        self._passing.set()
        self._late_seconds = 0.0
        self._refusing = False
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.carried = 0

    def drop(self) -> None:
        """Break every connection, and each new one at once."""
        self._refusing = True
        for writer in list(self._writers):
            # with a reset instead of an orderly end, as a router that forgot the connection answers
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            writer.transport.abort()

    def stall(self) -> None:
        """Connections stay, new ones are accepted, nothing passes."""
        self._passing.clear()

    def slow(self, seconds: float) -> None:
        """Each piece of data is so late."""
        self._late_seconds = seconds

    def mend(self) -> None:
        """As at first. What was held up passes now."""
        self._refusing, self._late_seconds = False, 0.0
        self._passing.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        try:
            if self._refusing:
                return
            self._writers.add(writer)
            await self._passing.wait()
            async with asyncio.timeout(_CONNECT_SECONDS):
                back, to = await asyncio.open_connection(LOOPBACK, self._target)
            self._writers.add(to)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._pump(reader, to))
                    tasks.create_task(self._pump(back, writer))
            finally:
                self._writers.discard(to)
                to.transport.abort()
        except* OSError:
            pass  # both sides learn it from their sockets; TimeoutError is one
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            await self._passing.wait()
            if self._late_seconds:
                await asyncio.sleep(self._late_seconds)
            self.carried += len(chunk)
            writer.write(chunk)
            await writer.drain()
        writer.write_eof() if writer.can_write_eof() else writer.close()


@asynccontextmanager
async def proxying(port: int) -> AsyncIterator[Proxy]:
    """A proxy to that port of the loopback address, on a free one; its connections break at the end."""
    proxy = Proxy(port)
    async with asyncio.TaskGroup() as tasks:
        carrying: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = tasks.create_task(proxy.carry(reader, writer))
            carrying.add(task)
            task.add_done_callback(carrying.discard)

        server = await asyncio.start_server(accept, LOOPBACK, 0)
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            server.close()
            for task in carrying:
                task.cancel()
    await asyncio.sleep(0)  # aborted transports close their sockets in the loop's next turn
