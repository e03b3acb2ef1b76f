"""What a head comes to, worked out once and kept with it in its `memo`, for the next message with the same. Pure."""

import re
from typing import cast

from controller.gateway.errors import REASON_HEADER, Problem
from controller.gateway.framing import RequestHead, ResponseHead
from controller.gateway.routes import Operation, find_operation

_SECONDS = re.compile(rb"[0-9]{1,6}(?:\.[0-9]{1,6})?")
_REQUEST_ID = b"x-request-id:"
_TIMEOUT = b"x-request-timeout:"


class RequestLead:
    """Of a request: its operation, or why there is none; what an engine gets before Host; and how long it may take.

    `asks_engine`: its body is an engine's to answer, and can be read; `generates`: with tokens, one by one. `timeout`
    is the client's own, in seconds until the first byte of its answer, by the header X-Request-Timeout.
    """

    __slots__ = ("asks_engine", "generates", "lead", "operation", "timeout")

    def __init__(self, head: RequestHead) -> None:
        lines = [line for line in head.forward.splitlines(keepends=True) if not line.startswith(_REQUEST_ID)]
        self.operation: Operation | Problem = find_operation(head.method, head.path)
        self.timeout: float | None = None
        self.lead = b"".join([head.method.encode(), b" ", head.target, b" HTTP/1.1\r\n", *lines])
        for line in lines:
            if line.startswith(_TIMEOUT):
                self._take_timeout(line.partition(b":")[2].strip())
        operation = self.operation
        answered_here = isinstance(operation, Problem) or operation is Operation.MODELS
        self.asks_engine = not answered_here and not head.encoded
        self.generates = isinstance(operation, Operation) and operation.generates

    def _take_timeout(self, text: bytes) -> None:
        seconds = float(text) if _SECONDS.fullmatch(text) else 0.0
        if seconds > 0:
            self.timeout = seconds
        elif isinstance(self.operation, Operation):
            shown = text[:20].decode("latin-1")
            message = f"X-Request-Timeout is {shown!r}: send seconds above 0, such as 2.5, or leave it out"
            self.operation = Problem(400, "BadTimeout", message)


def request_lead(head: RequestHead) -> RequestLead:
    """What a client's head comes to."""
    found = cast("RequestLead | None", head.memo)
    if found is None:
        found = head.memo = RequestLead(head)
    return found


def answer_lead(head: ResponseHead, *, of_replica: bool = False) -> bytes:
    """All that a client gets of an engine's head but framing and the request's id.

    `of_replica`: it is another replica's, which says why it refuses. An engine's word for that is not passed on.
    """
    if of_replica and head.reason:
        return b"%b%b: %b\r\n" % (answer_lead(head), REASON_HEADER.encode(), head.reason)
    found = cast("bytes | None", head.memo)
    if found is None:
        lines = [line for line in head.forward.splitlines(keepends=True) if not line.startswith(_REQUEST_ID)]
        found = head.memo = b"".join([head.line, *lines])
    return found
