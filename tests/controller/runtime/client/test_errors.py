"""HTTP answers and Status objects become the error type that a caller reacts to."""

import orjson
import pytest

from controller.runtime.client.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Cause,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Timeout,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    error_of_answer,
    error_of_status,
)


def _status(code: int, reason: str, **more: object) -> bytes:
    return orjson.dumps({"kind": "Status", "code": code, "reason": reason, "message": "no", **more})


@pytest.mark.parametrize(
    ("code", "reason", "want"),
    [
        pytest.param(400, "BadRequest", BadRequest, id="bad request"),
        pytest.param(401, "Unauthorized", Unauthorized, id="unauthorized"),
        pytest.param(403, "Forbidden", Forbidden, id="forbidden"),
        pytest.param(404, "NotFound", NotFound, id="not found"),
        pytest.param(409, "Conflict", Conflict, id="a 409 that is a conflict"),
        pytest.param(409, "AlreadyExists", AlreadyExists, id="a 409 that is a taken name"),
        pytest.param(410, "Expired", Gone, id="expired version"),
        pytest.param(422, "Invalid", Invalid, id="invalid"),
        pytest.param(429, "TooManyRequests", TooManyRequests, id="too many requests"),
        pytest.param(500, "InternalError", ApiError, id="a 500 has no type of its own"),
        pytest.param(503, "ServiceUnavailable", Unavailable, id="unavailable"),
        pytest.param(504, "Timeout", Timeout, id="timeout"),
    ],
)
def test_type_follows_status_and_reason(code: int, reason: str, want: type[ApiError]) -> None:
    error = error_of_answer(code, _status(code, reason), {})
    assert type(error) is want
    assert (error.status, error.reason, error.message) == (code, reason, "no")


def test_a_taken_name_is_no_conflict() -> None:
    assert not issubclass(AlreadyExists, Conflict)


def test_causes_name_the_fields() -> None:
    causes = [{"field": "spec.replicas", "reason": "FieldValueInvalid", "message": "must be positive"}]
    error = error_of_answer(422, _status(422, "Invalid", details={"causes": causes}), {})
    assert error.causes == (Cause("spec.replicas", "FieldValueInvalid", "must be positive"),)


@pytest.mark.parametrize(
    ("body", "want"),
    [
        pytest.param(b"<html>Bad Gateway</html>", "<html>Bad Gateway</html>", id="a proxy's page"),
        pytest.param(b"[1]", "[1]", id="JSON that is no object"),
        pytest.param(b'{"kind":"Pod"}', "Pod", id="an object that is no Status"),
        pytest.param(b"", "HTTP 502", id="nothing"),
        pytest.param(b"\xff\xfe", "HTTP 502", id="bytes that are no text"),
    ],
)
def test_a_body_that_is_no_status_is_quoted(body: bytes, want: str) -> None:
    error = error_of_answer(502, body, {})
    assert isinstance(error, Unavailable)
    assert want in error.message


def test_a_path_that_is_not_served_is_told_as_such() -> None:
    error = error_of_answer(404, b"404 page not found\n", {})
    assert isinstance(error, NotFound)
    assert (error.reason, "CustomResourceDefinition" in error.message) == ("NotServed", True)


@pytest.mark.parametrize(
    ("header", "details", "want"),
    [
        pytest.param("3", {}, 3.0, id="from the header"),
        pytest.param(None, {"retryAfterSeconds": 7}, 7.0, id="from the details"),
        pytest.param("3", {"retryAfterSeconds": 7}, 3.0, id="the header wins"),
        pytest.param("Wed, 21 Oct 2026 07:28:00 GMT", {}, None, id="a date is not understood"),
        pytest.param(None, {}, None, id="not said"),
    ],
)
def test_retry_after(header: str | None, details: dict[str, object], want: float | None) -> None:
    headers = {"Retry-After": header} if header else {}
    error = error_of_answer(429, _status(429, "TooManyRequests", details=details), headers)
    assert isinstance(error, TooManyRequests)
    assert error.retry_after == want


def test_an_in_stream_status_has_its_own_code() -> None:
    assert isinstance(error_of_status({"code": 410, "reason": "Gone"}), Gone)


def test_a_status_without_anything_is_a_plain_error() -> None:
    assert type(error_of_status({})) is ApiError


@pytest.mark.parametrize(
    ("status", "want"),
    [
        pytest.param({"code": "x"}, ApiError, id="a code that is text"),
        pytest.param({"code": [410]}, ApiError, id="a code that is a list"),
        pytest.param({"code": 410, "details": "x"}, Gone, id="details that are text"),
        pytest.param({"code": 422, "details": {"causes": "x"}}, Invalid, id="causes that are text"),
        pytest.param({"code": 422, "details": {"causes": ["x"]}}, Invalid, id="a cause that is text"),
        pytest.param({"code": 429, "details": {"retryAfterSeconds": [1]}}, TooManyRequests, id="a wait that is a list"),
        pytest.param({"code": 429, "details": {"retryAfterSeconds": "nan"}}, TooManyRequests, id="a wait of no number"),
        pytest.param({"code": 500, "reason": {}, "message": []}, ApiError, id="no texts"),
    ],
)
def test_a_status_of_another_shape_is_still_an_error(status: dict[str, object], want: type[ApiError]) -> None:
    error = error_of_status(status)
    assert type(error) is want
    assert error.causes == ()
    assert getattr(error, "retry_after", None) is None


def test_unavailable_says_when_to_come_back() -> None:
    error = error_of_answer(503, b"shutting down", {"Retry-After": "4"})
    assert isinstance(error, Unavailable)
    assert error.retry_after == 4.0
