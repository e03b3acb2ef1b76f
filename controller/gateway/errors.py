"""Errors as clients of OpenAI's API expect them, with a reason for programs and the id of the request. Pure."""

import math
from dataclasses import dataclass
from http import HTTPStatus

import msgspec

from controller.gateway.body import BadBody
from controller.gateway.malformed import Malformed
from controller.qos.refusal import Refusal

REASON_HEADER = "x-aim-reason"
REQUEST_ID_HEADER = "x-request-id"

CLIENT_CLOSED_REQUEST = 499
"""Of a request whose client went away: in logs and metrics only, for nobody is left to be told."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a request is answered here and not by an engine.

    `reason` is one CamelCase word, `message` a sentence that names what to change; `param` the body's field that is to
    blame; `retry_after` seconds after which to ask again; `allow` the methods that a path takes.
    """

    status: int
    reason: str
    message: str
    param: str | None = None
    retry_after: float | None = None
    allow: str | None = None


_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}


def of_refusal(refusal: Refusal) -> Problem:
    """The dispatcher's refusal."""
    return Problem(refusal.status, refusal.reason, refusal.message, retry_after=refusal.retry_after)


def of_malformed(error: Malformed) -> Problem:
    """Bytes that are no request."""
    return Problem(error.status, error.reason, error.message)


def of_body(body: BadBody) -> Problem:
    """A body that asks for nothing that can be served."""
    return Problem(400, "BadBody", body.message, param=body.param)


def error_body(problem: Problem, request_id: str) -> bytes:
    """The JSON of an error."""
    return msgspec.json.encode(
        {
            "error": {
                "message": problem.message,
                "type": _type(problem.status),
                "param": problem.param,
                "code": problem.reason,
                "request_id": request_id,
            }
        }
    )


def error_event(problem: Problem, request_id: str) -> bytes:
    """An error as an event of a stream that has begun: its status was sent long ago."""
    return b"data: %b\n\n" % error_body(problem, request_id)


def error_answer(problem: Problem, request_id: str, *, keep_alive: bool) -> bytes:
    """A whole answer of HTTP/1.1: status line, headers and the error as JSON.

    Retry-After is in whole seconds and never below what was asked for.
    """
    body = error_body(problem, request_id)
    lines = [
        f"HTTP/1.1 {problem.status} {_phrase(problem.status)}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        f"{REQUEST_ID_HEADER}: {request_id}",
        f"{REASON_HEADER}: {problem.reason}",
    ]
    if problem.retry_after is not None:
        lines.append(f"retry-after: {max(1, math.ceil(problem.retry_after))}")
    if problem.allow is not None:
        lines.append(f"allow: {problem.allow}")
    if problem.status == HTTPStatus.UNAUTHORIZED:
        lines.append("www-authenticate: Bearer")
    if not keep_alive:
        lines.append("connection: close")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1") + body


def _type(status: int) -> str:
    named = _TYPES.get(status)
    if named is not None:
        return named
    return "invalid_request_error" if status < 500 else "server_error"


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase


def too_many_sequences(asked: int, limit: int) -> Problem:
    """The refusal of a request that would have more generated at once than it may."""
    message = f"n, best_of and prompts come to {asked} sequences at once, a request has {limit} at most: send several"
    return Problem(400, "TooManySequences", message, param="n")
