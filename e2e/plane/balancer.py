"""A TCP balancer on the loopback address, in the place of a Service: replicas come and go behind one port.

    client -> one port -> the next replica in turn that accepts -> bytes both ways until both sides are done

A replica that refuses the connection is passed over, so a killed one costs nothing but the connections it had: these
break as they would without a balancer, and what was asked on them is not asked again.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from e2e.plane.ports import LOOPBACK

_CONNECT_SECONDS = 2.0
# Per connection and direction: reading stops once twice this waits to be written.
_BUFFER_BYTES = 64 * 1024
_BACKLOG = 1024
_STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class BalancerStatistics:
    """Connections since the start, by backend port; those open now, by backend port; those that nobody accepted, and
    how often a backend refused one that another got.
    """

    accepted: Mapping[int, int]
    open: Mapping[int, int]
    unserved: int
    passed_over: int


class Balancer:
    """Round robin over loopback ports; a context manager with a thread of its own, so that blocking code may use it.

    `port` is where it listens; 0: any free one. Raises OSError on entering when that is taken.
    `add`, `remove`, `backends`, `statistics` may be called from any thread. Connections of a removed backend go on.
    """

    def __init__(self, backends: Iterable[int] = (), *, port: int = 0) -> None:
        self._wanted = port
        self._backends: tuple[int, ...] = tuple(dict.fromkeys(backends))
        self._lock = threading.Lock()
        self._carrying: set[asyncio.Task[None]] = set()
        self._accepted: Counter[int] = Counter()
        self._open: Counter[int] = Counter()
        self._unserved = self._passed_over = self._turn = 0
        self._port: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._main, name="balancer", daemon=True)

    @property
    def port(self) -> int:
        """Where clients connect."""
        if self._port is None:
            raise RuntimeError("the balancer does not run: use it as a context manager")
        return self._port

    @property
    def backends(self) -> tuple[int, ...]:
        """The ports that new connections go to."""
        return self._backends

    def add(self, port: int) -> None:
        """Send connections to `port` as well."""
        with self._lock:
            self._backends = (*(known for known in self._backends if known != port), port)

    def remove(self, port: int) -> None:
        """Send no new connection to `port`; those that it has go on."""
        with self._lock:
            self._backends = tuple(known for known in self._backends if known != port)

    def statistics(self) -> BalancerStatistics:
        """The figures of this moment."""
        with self._lock:
            still_open = {port: count for port, count in self._open.items() if count}
            return BalancerStatistics(dict(self._accepted), still_open, self._unserved, self._passed_over)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            raise RuntimeError(f"the balancer did not stop within {_STOP_SECONDS:g} s")

    # In the thread ----------------------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._serve())
        except* OSError as errors:
            (self._failure,) = (error for error in errors.exceptions if isinstance(error, OSError))
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:

            def accept(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
                task = tasks.create_task(self._carry(client, to_client))
                self._carrying.add(task)
                task.add_done_callback(self._carrying.discard)

            server = await asyncio.start_server(accept, LOOPBACK, self._wanted, backlog=_BACKLOG, limit=_BUFFER_BYTES)
            self._port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._stop.wait()
            server.close()
            for task in self._carrying:
                task.cancel()

    async def _carry(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            connected = await self._connect()
            if connected is None:
                return
            port, backend, to_backend = connected
            with self._counted(port):
                await _exchange((client, to_backend), (backend, to_client))
        finally:
            to_client.transport.abort()

    async def _connect(self) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter] | None:
        """The next backend in turn that accepts, None when there is none."""
        with self._lock:
            backends, turn = self._backends, self._turn
            self._turn += 1
        for offset in range(len(backends)):
            port = backends[(turn + offset) % len(backends)]
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    reader, writer = await asyncio.open_connection(LOOPBACK, port, limit=_BUFFER_BYTES)
            except OSError:  # TimeoutError is one
                with self._lock:
                    self._passed_over += 1
                continue
            return port, reader, writer
        with self._lock:
            self._unserved += 1
        return None

    @contextmanager
    def _counted(self, port: int) -> Iterator[None]:
        with self._lock:
            self._accepted[port] += 1
            self._open[port] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[port] -= 1


_Direction = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _exchange(*directions: _Direction) -> None:
    """Carry bytes in both directions until both have ended, or one side breaks: then the other is broken as well."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for reader, writer in directions:
                tasks.create_task(_pump(reader, writer))
        for _, writer in directions:
            writer.close()
            await writer.wait_closed()  # what is still buffered goes out first
    except* OSError:
        pass  # nobody is left to be told but the two sides, who learn it from their sockets
    finally:
        for _, writer in directions:
            writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one direction to its end, and pass the end on: the other direction may still be in use."""
    writer.transport.set_write_buffer_limits(high=_BUFFER_BYTES)
    while chunk := await reader.read(_BUFFER_BYTES):
        writer.write(chunk)
        await writer.drain()
    writer.write_eof()
