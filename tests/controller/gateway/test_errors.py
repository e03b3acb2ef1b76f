import json

import h11
import pytest

from controller.gateway.body import BadBody
from controller.gateway.errors import Problem, error_answer, error_event, of_body, of_malformed, of_refusal
from controller.gateway.malformed import Malformed
from controller.qos import refusal

NOT_FOUND = Problem(404, "ModelNotFound", "no model 'x'\n", param="model")


def received(raw: bytes) -> tuple[h11.Response, bytes]:
    """What h11 makes of an answer: one whole response and nothing after it."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(raw)
    response = connection.next_event()
    assert isinstance(response, h11.Response)
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert connection.trailing_data[0] == b""
    return response, body


def test_an_error_is_what_openais_clients_expect() -> None:
    response, body = received(error_answer(NOT_FOUND, "r-1", keep_alive=True))
    headers = dict(response.headers)
    assert response.status_code == 404
    assert headers[b"content-type"] == b"application/json"
    assert (headers[b"x-request-id"], headers[b"x-aim-reason"]) == (b"r-1", b"ModelNotFound")
    assert b"connection" not in headers
    assert json.loads(body) == {
        "error": {
            "message": "no model 'x'\n",
            "type": "not_found_error",
            "param": "model",
            "code": "ModelNotFound",
            "request_id": "r-1",
        }
    }


def test_a_connection_that_ends_says_so() -> None:
    response, _ = received(error_answer(NOT_FOUND, "r-1", keep_alive=False))
    assert dict(response.headers)[b"connection"] == b"close"


@pytest.mark.parametrize(("seconds", "want"), [(0.01, b"1"), (1.0, b"1"), (1.2, b"2"), (30.0, b"30")])
def test_nobody_is_told_to_come_earlier_than_it_helps(seconds: float, want: bytes) -> None:
    response, _ = received(error_answer(Problem(429, "QueueFull", "x", retry_after=seconds), "r", keep_alive=True))
    assert dict(response.headers)[b"retry-after"] == want


TYPES = [
    (400, "invalid_request_error"),
    (401, "authentication_error"),
    (403, "permission_error"),
    (413, "invalid_request_error"),
    (429, "rate_limit_error"),
    (431, "invalid_request_error"),
    (500, "server_error"),
    (503, "server_error"),
]


@pytest.mark.parametrize(("status", "want"), TYPES)
def test_types_are_those_of_openai(status: int, want: str) -> None:
    _, body = received(error_answer(Problem(status, "R", "m"), "r", keep_alive=True))
    assert json.loads(body)["error"]["type"] == want


def test_who_shows_no_key_is_told_how_to() -> None:
    response, _ = received(error_answer(Problem(401, "NoKey", "m"), "r", keep_alive=True))
    assert dict(response.headers)[b"www-authenticate"] == b"Bearer"


def test_a_path_says_what_it_takes() -> None:
    response, _ = received(error_answer(Problem(405, "M", "m", allow="POST"), "r", keep_alive=True))
    assert dict(response.headers)[b"allow"] == b"POST"


def test_an_error_within_a_stream_is_one_event() -> None:
    event = error_event(NOT_FOUND, "r-1")
    data, _, rest = event.removeprefix(b"data: ").partition(b"\n")
    assert rest == b"\n"
    assert json.loads(data)["error"]["code"] == "ModelNotFound"


def test_what_others_refuse_becomes_a_problem() -> None:
    assert of_refusal(refusal.refusal("QueueFull", "full", 2.0)) == Problem(429, "QueueFull", "full", retry_after=2.0)
    assert of_malformed(Malformed("BadHeader", "bad", status=431)) == Problem(431, "BadHeader", "bad")
    assert of_body(BadBody("no model", "model")) == Problem(400, "BadBody", "no model", param="model")


def test_every_refusal_of_the_dispatcher_is_an_answer() -> None:
    for reason in refusal.STATUS:
        response, body = received(error_answer(of_refusal(refusal.refusal(reason, "m")), "r", keep_alive=True))
        assert response.status_code == refusal.STATUS[reason]
        assert json.loads(body)["error"]["code"] == reason
