"""Work on what this process holds, in a copy of the process: what is long there keeps nobody waiting here.

    fork (the kernel copies what either side then changes) -> work -> bytes through a pipe -> the copy ends

The copy is of one moment, which no lock or copying of tables could give so cheaply: a process of 280 MiB is copied in
6 to 10 ms. It does nothing but compute and write: no thread and no connection of this process goes on there.
"""

import asyncio
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Final, NoReturn

#: Bytes that come back at most.
MOST_BYTES: Final = 16 << 20
_PIECE: Final = 1 << 16
#: How much less than the server's own work the copy's counts.
_NICE: Final = 5


class Apart(Exception):
    """The copy gave no answer: too late, too much, or it failed; the text says which."""


async def apart(work: Callable[[], bytes], seconds: float) -> bytes:
    """What `work` returns, done in a copy of this process within `seconds`. Raises Apart.

    `work` must neither wait for anything nor use connections. Cancelled, the copy ends at once.
    """
    receives, sends = os.pipe()
    try:
        process = os.fork()
    except OSError as error:
        os.close(receives)
        os.close(sends)
        raise Apart(f"no copy of this process can be made now: {error.strerror}; ask again in a moment") from error
    if process == 0:
        os.close(receives)
        _work(work, sends)
    os.close(sends)
    try:
        async with asyncio.timeout(seconds):
            answer = await _read(receives)
    except TimeoutError as error:
        raise Apart(f"no answer within {seconds:g} s; ask for less") from error
    finally:
        os.kill(process, signal.SIGKILL)  # it has written all it will; one that has ended takes no harm
        _, status = os.waitpid(process, 0)  # noqa: ASYNC222 - it was killed: this takes no time
    if not answer:
        raise Apart(f"planning failed (status {status}); the log says why")
    return answer


def _work(work: Callable[[], bytes], sends: int) -> NoReturn:
    """In the copy. Nothing of what this process would do at its end is done twice: it ends without it."""
    try:
        signal.set_wakeup_fd(-1)  # the event loop's own, which both would write into
        gc.disable()  # a collection writes into every object, and so copies all of them
        os.nice(_NICE)
        answer = work()  # the pipe stays open until all is told of a failure: its end is the end of this process
        with os.fdopen(sends, "wb") as pipe:
            pipe.write(answer)
    except BaseException:  # noqa: BLE001 - nothing may leave: the frames above are the server's
        traceback.print_exc(file=sys.stderr)
        sys.stderr.flush()
    finally:
        os._exit(0)


async def _read(receives: int) -> bytes:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    pipe = os.fdopen(receives, "rb")
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    found = bytearray()
    try:
        while piece := await reader.read(_PIECE):
            found += piece
            if len(found) > MOST_BYTES:
                raise Apart(f"the answer has more than {MOST_BYTES} bytes; ask for less")
    finally:
        transport.close()
    return bytes(found)
