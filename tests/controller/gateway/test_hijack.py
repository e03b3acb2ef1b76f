"""Another team's models cannot be reached, listed or taken over through the gateway, by any name, host or header."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
import pytest

from controller.gateway.configuration import ServiceRoute
from tests.builders.gateway_configuration import Keys, caller, configuration, endpoint, route
from tests.controller.gateway.exchanging import Dial, Got, serving
from tests.fakes.engine import Engine, answer

OURS, THEIRS = b"sk-ours", b"sk-theirs"
MODEL_ID = "acme/chat-8b"
KEYS = {OURS: caller("team-a"), THEIRS: caller("team-b")}


@asynccontextmanager
async def two_teams(*more: ServiceRoute) -> AsyncIterator[tuple[Dial, Engine, Engine]]:
    """Our engine and theirs, which serve the same model under the same name, and theirs one that we have not."""
    async with Engine([answer(b'"ours"')]) as ours, Engine([answer(b'"theirs"')]) as theirs:
        services = [
            replace(route(endpoint(ours.port, uid="a"), name="chat", namespace="team-a"), model_ids=("chat", MODEL_ID)),
            replace(
                route(endpoint(theirs.port, uid="b"), name="chat", namespace="team-b"), model_ids=("chat", MODEL_ID)
            ),
            replace(
                route(endpoint(theirs.port, uid="c"), name="secret", namespace="team-b"),
                model_ids=("secret", "acme/secret"),
            ),
        ]
        told = replace(
            configuration(*services, *more), host_namespaces={"team-a.example": "team-a", "team-b.example": "team-b"}
        )
        async with serving(told, Keys(KEYS)) as (_, dial):
            yield dial, ours, theirs


async def asked(dial: Dial, model: str, key: bytes = OURS, host: str = "gateway", headers: bytes = b"") -> Got:
    body = b'{"model":%b}' % msgspec.json.encode(model)
    head = b"POST /v1/completions HTTP/1.1\r\nhost: %b\r\nauthorization: Bearer %b\r\n" % (host.encode(), key)
    return await (await dial()).ask(head + headers + b"content-length: %d\r\n\r\n%b" % (len(body), body))


@pytest.mark.parametrize("name", ["chat", MODEL_ID, "team-a/chat"])
async def test_a_name_that_both_teams_have_means_the_callers_own(name: str) -> None:
    async with two_teams() as (dial, _, theirs):
        assert (await asked(dial, name)).body == b'"ours"'
        assert theirs.requests == []


NAMES = [
    "secret",
    "acme/secret",
    "team-b/secret",
    "team-b/chat",
    "/team-b/chat",
    "team-a/../team-b/chat",
    "TEAM-B/chat",
]
NAMES += ["team-b%2Fchat", "team-b/chat\x00", "team-b/chat ", "team-\u212a/chat", "*", "team-b/*", "", "team-b"]


@pytest.mark.parametrize("name", NAMES)
async def test_what_only_the_other_team_has_is_not_found(name: str) -> None:
    async with two_teams() as (dial, ours, theirs):
        got = await asked(dial, name)
        assert (got.status, got.headers["x-aim-reason"]) == (404, "ModelNotFound")
        assert ours.requests == theirs.requests == []


async def test_their_host_does_not_open_their_models_to_our_key() -> None:
    async with two_teams() as (dial, _, theirs):
        for name in ("chat", "team-b/chat", "team-a/chat", "secret"):
            assert (await asked(dial, name, host="team-b.example")).status == 404
        assert theirs.requests == []


async def test_headers_about_who_one_is_or_where_to_go_change_nothing() -> None:
    hints = b"x-forwarded-host: team-b.example\r\nx-aim-tenant: team-b\r\nx-aim-forwarded-by: replica-1\r\nforwarded: host=team-b.example\r\n"
    async with two_teams() as (dial, ours, theirs):
        assert (await asked(dial, "chat", headers=hints)).body == b'"ours"'
        assert (await asked(dial, "secret", headers=hints)).status == 404
        assert theirs.requests == []
        assert b"x-aim-" not in ours.requests[0].raw_head


async def test_a_second_model_in_the_body_reaches_no_other_engine_than_the_one_that_was_judged() -> None:
    """The engine's parser takes the last of two, as ours does; and it is told but one where it knows one name."""
    async with two_teams() as (dial, ours, theirs):
        body = b'{"model":"chat","model":"team-b/secret"}'
        client = await dial()
        head = b"POST /v1/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer %b\r\n" % OURS
        got = await client.ask(head + b"content-length: %d\r\n\r\n%b" % (len(body), body))
        assert got.status == 404
        assert ours.requests == theirs.requests == []


async def test_the_other_team_cannot_take_our_names() -> None:
    async with Engine([answer(b'"spoofed"')]) as spoof:
        spoofs = replace(
            route(endpoint(spoof.port, uid="s"), name="x", namespace="team-b"),
            model_ids=("team-a/chat", "chat", MODEL_ID),
        )
        async with two_teams(spoofs) as (dial, _, _theirs):
            for name in ("chat", MODEL_ID, "team-a/chat"):
                assert (await asked(dial, name)).body == b'"ours"'
            assert (await asked(dial, "chat", THEIRS)).status == 409
        assert spoof.requests == []


async def test_each_team_is_shown_its_own_models_alone() -> None:
    async with two_teams() as (dial, _, _theirs):
        shown = {}
        for key in (OURS, THEIRS):
            head = b"GET /v1/models HTTP/1.1\r\nhost: team-b.example\r\nauthorization: Bearer %b\r\n\r\n" % key
            got = await (await dial()).ask(head)
            shown[key] = sorted(one["id"] for one in msgspec.json.decode(got.body)["data"])
        assert shown == {OURS: [], THEIRS: ["chat", "secret"]}


async def test_a_key_that_nobody_has_opens_nothing() -> None:
    async with two_teams() as (dial, ours, theirs):
        for key in (b"sk-other", b"sk-our", b"sk-ours2", b"SK-OURS", b"", b"null"):
            assert (await asked(dial, "chat", key)).status == 401
        assert ours.requests == theirs.requests == []
