"""A seat is one request, and an engine keeps room for sequences: what one request has generated at once is bounded."""

import json
from dataclasses import replace

import pytest

from controller.gateway.body import Asked, read_body
from controller.gateway.configuration import Limits
from controller.gateway.reload import qos_settings
from tests.builders.gateway_configuration import configuration, endpoint, route
from tests.controller.gateway.exchanging import request, serving
from tests.fakes.engine import Engine


def asked(body: bytes) -> Asked:
    found = read_body(body)
    assert isinstance(found, Asked)
    return found


@pytest.mark.parametrize(
    ("body", "want"),
    [
        pytest.param(b'{"model":"m"}', 1, id="a chat"),
        pytest.param(b'{"model":"m","prompt":"text"}', 1, id="a text"),
        pytest.param(b'{"model":"m","prompt":[1,2,3]}', 1, id="the tokens of one prompt"),
        pytest.param(b'{"model":"m","prompt":[]}', 1, id="no prompt, which is the engine's to refuse"),
        pytest.param(b'{"model":"m","prompt":[ "a" , "b" ]}', 2, id="two texts"),
        pytest.param(b'{"model":"m","prompt":[[1],[2],[3]]}', 3, id="the tokens of three prompts"),
        pytest.param(b'{"model":"m","n":4}', 4, id="four choices"),
        pytest.param(b'{"model":"m","n":2,"best_of":5}', 5, id="the best two of five"),
        pytest.param(b'{"model":"m","n":2,"prompt":["a","b","c"]}', 6, id="two choices of each of three prompts"),
    ],
)
def test_a_body_tells_how_many_sequences_it_wants(body: bytes, want: int) -> None:
    assert asked(body).sequences == want


def test_the_limit_of_output_is_each_sequences() -> None:
    assert asked(b'{"model":"m","max_tokens":10,"n":2,"prompt":["a","b"]}').output_limit == 40


async def test_a_request_for_more_than_it_may_have_is_refused_and_takes_no_seat() -> None:
    given = configuration(route(endpoint(1)))
    async with serving(given) as (gateway, dial):
        answer = await (await dial()).ask(request(body=b'{"model":"llama","n":2}'))
    assert answer.status == 400
    said = json.loads(answer.body)["error"]
    assert (said["code"], said["param"]) == ("TooManySequences", "n")
    assert "come to 2 sequences at once, a request has 1 at most" in said["message"]
    assert all(one.dispatched == 0 for one in gateway.statistics().qos.models.values())


async def test_a_limit_above_one_lets_it_pass() -> None:
    async with Engine() as engine:
        given = configuration(route(endpoint(engine.port)), limits=replace(Limits(), sequences=2))
        async with serving(given) as (_, dial):
            assert (await (await dial()).ask(request(body=b'{"model":"llama","n":2}'))).status == 200


@pytest.mark.parametrize(("seats", "sequences", "want"), [(8, 1, 8), (8, 3, 2), (2, 4, 1)])
def test_seats_are_divided_by_what_a_request_may_have(seats: int, sequences: int, want: int) -> None:
    given = configuration(route(replace(endpoint(1), seats=seats)), limits=replace(Limits(), sequences=sequences))
    (partition,) = qos_settings(given).partitions.values()
    assert [one.seats for one in partition.members] == [want]
