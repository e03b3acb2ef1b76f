"""What an API server (or the way to it) answered instead of success, one type for each reaction of a caller.

    ApiError
    ├── BadRequest        400        the request makes no sense: a bug, or garbage from a user
    ├── Unauthorized      401        credentials are missing or expired
    ├── Forbidden         403        RBAC or an admission policy says no
    ├── NotFound          404        gone, or never there
    ├── Conflict          409        changed since it was read: read again and decide anew
    ├── AlreadyExists     409        the name is taken
    ├── Gone              410        the resourceVersion or continue token is too old: list again
    ├── Invalid           422        validation (with causes) or a failed JSON patch `test` (without)
    ├── TooManyRequests   429        wait `retry_after`, or an eviction that a budget forbids
    ├── Timeout           408, 504   it may or may not have happened
    └── Unavailable       502, 503   nobody answers, the connection broke, or something answered that is no API server

A status outside this table (500 among them) is a plain ApiError. `status` is 0 when no HTTP answer came at all.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson

# A body that is no Status (a proxy's HTML page) is quoted in the message up to here: enough to recognise it.
_QUOTED_CHARACTERS = 200
# How an API server answers for a group, version or resource that it does not have.
_UNKNOWN_PATH = b"404 page not found"
_FUTURE_VERSION = "ResourceVersionTooLarge"


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason of a refusal: the field at fault ("" when it is none), a CamelCase reason, a sentence."""

    field: str
    reason: str
    message: str


class ApiError(Exception):
    """The root: `status` (HTTP, 0 = no answer), `reason` (CamelCase), `message`, `causes` (may be empty).

    `retry_after`: seconds the server asked to wait (429 and 503 do), None when it did not say.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        causes: tuple[Cause, ...] = (),
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = causes
        self.retry_after = retry_after

    @property
    def of_the_future(self) -> bool:
        """Whether the server has not reached the resourceVersion asked for (it comes as a Timeout)."""
        return any(cause.reason == _FUTURE_VERSION for cause in self.causes)


class BadRequest(ApiError):
    """400: the server could not make sense of the request."""


class Unauthorized(ApiError):
    """401: no or expired credentials. Nothing was done."""


class Forbidden(ApiError):
    """403: authenticated, and not allowed. Nothing was done."""


class NotFound(ApiError):
    """404: no such object, or no such resource."""


class Conflict(ApiError):
    """409: a precondition (resourceVersion, uid, field manager) does not hold any more."""


class AlreadyExists(ApiError):
    """409: an object of this name exists. Not a Conflict: reading again and repeating does not help."""


class Gone(ApiError):
    """410: the resourceVersion or continue token is too old."""


class Invalid(ApiError):
    """422: validation failed (`causes` name the fields), or a JSON patch could not be applied (no causes)."""


class TooManyRequests(ApiError):
    """429: ask again after `retry_after`.

    An eviction that a disruption budget forbids is one too, with a cause of reason "DisruptionBudget".
    """

    @property
    def by_disruption_budget(self) -> bool:
        """Whether a disruption budget refused an eviction (waiting a second will not change that)."""
        return any(cause.reason == "DisruptionBudget" for cause in self.causes)


class Timeout(ApiError):
    """The server or we gave up waiting; a write may or may not have happened."""


class Unavailable(ApiError):
    """No API server was reached, or the connection broke; a write may or may not have happened."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    408: Timeout,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
    502: Unavailable,
    503: Unavailable,
    504: Timeout,
}


def error_of_status(status: Mapping[str, Any], code: int | None = None, retry_after: str | None = None) -> ApiError:
    """The typed error of a `Status` object (an answer's body, or an ERROR event of a watch).

    `code`: the HTTP status, None to take the object's own (500 when it has none); `retry_after`: the header of that
    name, if any. Fields of another shape count as absent.
    """
    own = status.get("code")
    code = code if code is not None else own if isinstance(own, int) and own else 500
    reason = str(status.get("reason") or "Unknown")
    message = str(status.get("message") or "no message")
    details = status.get("details")
    details = details if isinstance(details, Mapping) else {}
    causes = _causes(details.get("causes"))
    if reason == "AlreadyExists":
        return AlreadyExists(code, reason, message, causes)
    kind = _BY_STATUS.get(code, ApiError)
    if issubclass(kind, TooManyRequests | Unavailable):
        seconds = _seconds(retry_after, details.get("retryAfterSeconds"))
        return kind(code, reason, message, causes, retry_after=seconds)
    return kind(code, reason, message, causes)


def error_of_answer(code: int, body: bytes, headers: Mapping[str, str]) -> ApiError:
    """The typed error of an HTTP answer, whatever its body is."""
    status = _status_object(body)
    if status is None:
        if code == HTTPStatus.NOT_FOUND and body.startswith(_UNKNOWN_PATH):
            return NotFound(code, "NotServed", "no such resource is served; is its CustomResourceDefinition installed?")
        text = body[:_QUOTED_CHARACTERS].decode(errors="replace").strip()
        status = {"reason": "NotAStatus", "message": f"HTTP {code} with a body that is no Status: {text!r}"}
    return error_of_status(status, code, headers.get("Retry-After"))


def _status_object(body: bytes) -> dict[str, Any] | None:
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return decoded if isinstance(decoded, dict) and decoded.get("kind") == "Status" else None


def _causes(given: Any) -> tuple[Cause, ...]:
    return tuple(
        Cause(str(cause.get("field") or ""), str(cause.get("reason") or ""), str(cause.get("message") or ""))
        for cause in (given if isinstance(given, list) else ())
        if isinstance(cause, Mapping)
    )


def _seconds(*candidates: Any) -> float | None:
    for candidate in candidates:
        try:
            seconds = float(candidate or math.nan)
        except (TypeError, ValueError):
            continue  # the HTTP-date form, which no API server sends, or nothing that is a number
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    return None
