"""What one turn of the loop has to write, sent together at its end: to engines first, then to clients.

In one turn the requests and answers of many connections are read, and each is written somewhere else. Written one by
one as they are worked out, they wake whoever waits for them one by one, and by the next one he has gone to sleep again:
a fifth of a request's processor time, within the call that writes. Sent in a row they find the other side awake.

Who writes to a client in another way, or closes its connection, has to `flush` before.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

LARGE = 16_384
"""Bytes of a piece that is written at once. A loop may read one engine again and again before the turn ends, and only
what has been written tells that the client does not keep up."""


class Sender(Protocol):
    """A connection that holds a request."""

    def write_request(self) -> None:
        """Write it now, if it is still to be sent."""
        ...


class Outbox:
    """`call_soon` is the loop's: it calls before anything else is read."""

    __slots__ = ("_answers", "_call_soon", "_requests")

    def __init__(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._call_soon = call_soon
        self._requests: list[Sender] = []
        self._answers: list[tuple[asyncio.Transport, bytes]] = []

    def send_request(self, sender: Sender) -> None:
        """Have a request written at the end of this turn."""
        if not self._requests and not self._answers:
            self._call_soon(self.flush)
        self._requests.append(sender)

    def send_answer(self, transport: asyncio.Transport, data: bytes) -> None:
        """Have a piece of an answer written to a client at the end of this turn, or now if it is large."""
        if not self._requests and not self._answers:
            self._call_soon(self.flush)
        self._answers.append((transport, data))
        if len(data) > LARGE:
            self.flush()

    def flush(self) -> None:
        """Write everything, in the order in which it came here, but requests first.

        What is added meanwhile is written too. Where writing raises, for which no reason is known, all the rest is
        written in the next turn.
        """
        while self._requests or self._answers:
            self._write_requests()
            self._write_answers()

    def _write_requests(self) -> None:
        requests, self._requests = self._requests, []
        left = iter(requests)
        try:
            for sender in left:
                sender.write_request()
        except BaseException:
            self._requests[:0] = left
            self._call_soon(self.flush)
            raise

    def _write_answers(self) -> None:
        answers, self._answers = self._answers, []
        left = iter(answers)
        try:
            for transport, data in left:
                if not transport.is_closing():
                    transport.write(data)
        except BaseException:
            self._answers[:0] = left
            self._call_soon(self.flush)
            raise
