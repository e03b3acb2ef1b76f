import pytest

from controller.gateway.errors import Problem
from controller.gateway.framing import parse_request_head, parse_response_head
from controller.gateway.leads import answer_lead, request_lead
from controller.gateway.routes import Operation
from tests.builders.http_head import request_head


def test_an_engine_gets_the_request_line_and_what_is_for_it() -> None:
    head = parse_request_head(
        request_head("X-Request-Id: mine", "Accept: */*", start="POST /v1/embeddings?a=b HTTP/1.1")
    )
    lead = request_lead(head)
    assert lead.lead == b"POST /v1/embeddings?a=b HTTP/1.1\r\naccept: */*\r\n"
    assert (lead.operation, lead.timeout) == (Operation.EMBEDDINGS, None)
    assert request_lead(head) is lead


def test_a_clients_timeout_is_read() -> None:
    assert request_lead(parse_request_head(request_head("X-Request-Timeout: 2.5"))).timeout == 2.5


@pytest.mark.parametrize("text", ["", "0", "-1", "1e3", "soon", "nan", "99999999"])
def test_a_timeout_that_is_none_is_refused(text: str) -> None:
    operation = request_lead(parse_request_head(request_head(f"X-Request-Timeout: {text}"))).operation
    assert isinstance(operation, Problem)
    assert (operation.status, operation.reason) == (400, "BadTimeout")


def test_a_client_gets_an_engines_head_without_framing_and_its_own_id() -> None:
    raw = (
        b"HTTP/1.1 200 OK\r\nServer: uvicorn\r\nX-Request-Id: a\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n"
    )
    assert answer_lead(parse_response_head(raw)) == b"HTTP/1.1 200 OK\r\nserver: uvicorn\r\n"


def test_why_it_was_refused_is_a_replicas_word_and_not_an_engines() -> None:
    head = parse_response_head(
        b"HTTP/1.1 429 No\r\nX-Aim-Reason: QueueFull\r\nX-Aim-Key: k\r\nContent-Length: 3\r\n\r\n"
    )
    assert answer_lead(head) == b"HTTP/1.1 429 No\r\n"
    assert answer_lead(head, of_replica=True) == b"HTTP/1.1 429 No\r\nx-aim-reason: QueueFull\r\n"
    plain = parse_response_head(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
    assert answer_lead(plain, of_replica=True) == b"HTTP/1.1 200 OK\r\n"
