"""A status that two write: the gateway its counts, the operator the rest, neither in the other's way."""

from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import pytest
from aiohttp import web

from api.object import dump
from api.v1beta1 import InferenceService
from controller.reconcilers.inference_service.writing import ATTEMPTS, merge_patch, write_status
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.errors import Conflict, NotFound
from controller.state.kinds import INFERENCE_SERVICES
from tests.builders.inference_service import inference_service
from tests.fakes.api_server import Answer, FakeApiServer

KEY = "team-a/chat"
COUNTS = [{"shard": 3, "time": "2026-03-01T12:00:00+00:00", "objectives": [], "unheardOf": True}]


class World:
    """A stored service, and whoever writes it besides the operator."""

    def __init__(self, api: FakeApiServer, client: Client) -> None:
        self.api = api
        self.client = client

    @property
    def stored(self) -> dict[str, Any]:
        return self.api.objects(INFERENCE_SERVICES)[KEY]

    def seen(self) -> InferenceService:
        return InferenceService.model_validate(self.stored)

    def changed(self, **status: Any) -> None:
        """Somebody writes these fields of the status."""
        self.api.put(INFERENCE_SERVICES, self.stored | {"status": self.stored["status"] | status})

    def meanwhile(self, *changes: Callable[[], object]) -> None:
        """Each happens right before the operator's next write arrives."""

        def answer(change: Callable[[], object]) -> Answer:
            async def conflict(_: web.Request) -> web.StreamResponse:
                change()
                body = {"kind": "Status", "status": "Failure", "code": 409, "reason": "Conflict", "message": "moved on"}
                return web.json_response(body, status=409)

            return conflict

        self.api.play(*map(answer, changes), on="PATCH")

    async def write(self, seen: InferenceService, **fields: Any) -> InferenceService:
        return await write_status(self.client, seen, seen.status.model_copy(update=fields))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with FakeApiServer() as api, Client(ClientConfiguration(server=api.url)) as client:
        api.serve(INFERENCE_SERVICES)
        api.put(INFERENCE_SERVICES, dump(inference_service(status={"backend": "kserve", "requestCounts": COUNTS})))
        yield World(api, client)


async def test_the_gateways_part_stays_as_the_gateway_wrote_it(world: World) -> None:
    world.changed(requestCounts=COUNTS)
    written = await world.write(world.seen(), replicas=2)
    assert (world.stored["status"]["replicas"], world.stored["status"]["requestCounts"]) == (2, COUNTS)
    assert written.status.replicas == 2
    assert b"requestCounts" not in world.api.seen[-1].body


async def test_counts_that_came_meanwhile_stand_in_nobodys_way(world: World) -> None:
    seen = world.seen()
    later = [COUNTS[0] | {"time": "2026-03-01T12:01:00Z"}]
    world.meanwhile(lambda: world.changed(requestCounts=later), lambda: world.changed(requestCounts=[]))
    await world.write(seen, replicas=2)
    assert (world.stored["status"]["replicas"], world.stored["status"]["requestCounts"]) == (2, [])


async def test_a_decision_upon_a_version_that_is_gone_is_made_anew(world: World) -> None:
    """The write itself is refused: its version is the precondition."""
    seen = world.seen()
    world.changed(readyReplicas=1)
    with pytest.raises(Conflict):
        await world.write(seen, replicas=2)
    assert world.stored["status"]["replicas"] == 0


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda stored: {
                "spec": stored["spec"] | {"replicas": 3},
                "metadata": stored["metadata"] | {"generation": 3},
            },
            id="spec",
        ),
        pytest.param(lambda stored: {"status": stored["status"] | {"readyReplicas": 1}}, id="the operator's part"),
        pytest.param(
            lambda stored: {"metadata": stored["metadata"] | {"deletionTimestamp": "2026-03-01T12:00:00Z"}},
            id="deletion",
        ),
    ],
)
async def test_what_else_changed_meanwhile_has_to_be_looked_at(
    world: World, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    world.meanwhile(lambda: world.api.put(INFERENCE_SERVICES, world.stored | change(world.stored)))
    with pytest.raises(Conflict):
        await world.write(world.seen(), replicas=2)


async def test_a_service_that_was_made_anew_meanwhile_is_another(world: World) -> None:
    seen = world.seen()
    world.api.remove(INFERENCE_SERVICES, KEY)
    with pytest.raises(NotFound):
        await world.write(seen, replicas=2)
    another = dump(inference_service(status={"backend": "kserve"}))
    world.api.put(INFERENCE_SERVICES, another | {"metadata": another["metadata"] | {"uid": "another"}})
    with pytest.raises(Conflict):
        await world.write(seen, replicas=2)


async def test_it_does_not_go_on_for_ever(world: World) -> None:
    world.meanwhile(*[lambda: world.changed(requestCounts=COUNTS)] * (ATTEMPTS + 1))
    with pytest.raises(Conflict):
        await world.write(world.seen(), replicas=2)
    assert world.api.count("PATCH") == ATTEMPTS


async def test_a_first_status_has_its_defaults_too(world: World) -> None:
    world.api.put(INFERENCE_SERVICES, {key: value for key, value in world.stored.items() if key != "status"})
    seen = world.seen()
    await write_status(world.client, seen, seen.status.model_copy(update={"ready_replicas": 1}))
    assert (world.stored["status"]["replicas"], world.stored["status"]["readyReplicas"]) == (0, 1)
    assert "requestCounts" not in world.stored["status"]


@pytest.mark.parametrize(
    ("before", "after", "want"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"b": 2}, {"a": None, "b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "d": 3}}, {"a": {"c": None, "d": 3}}),
        ({"a": {"b": 1}}, {"a": {"b": 1}}, {}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, {"a": [{"b": 1, "c": 2}]}),
        ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_a_patch_says_what_differs(before: dict[str, Any], after: dict[str, Any], want: dict[str, Any]) -> None:
    assert merge_patch(before, after) == want


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_comes_between_nothing_that_was_written_is_lost(world: World, seed: int) -> None:
    """The gateway's shards, users and an operator that may be behind itself, in any order."""
    draw = Random(seed)
    world.changed(requestCounts=COUNTS)
    counted: dict[int, dict[str, Any]] = {3: COUNTS[0]}
    decided = 0  # the number that the operator wrote last
    lost = 0

    def count() -> None:
        shard = draw.randrange(3)
        counted[shard] = {"shard": shard, "time": f"2026-03-01T12:00:{draw.randrange(60):02}Z", "objectives": []}
        world.changed(requestCounts=list(counted.values()))

    def scale() -> None:
        metadata = world.stored["metadata"] | {"generation": world.stored["metadata"]["generation"] + 1}
        world.api.put(INFERENCE_SERVICES, world.stored | {"metadata": metadata})

    seen, seen_decided, seen_generation = world.seen(), decided, world.stored["metadata"]["generation"]
    for turn in range(1, 41):
        if draw.random() < 0.7:  # else the operator has not heard of what is there now
            seen, seen_decided, seen_generation = world.seen(), decided, world.stored["metadata"]["generation"]
        for _ in range(draw.randrange(2)):
            draw.choice((count, count, scale))()
        world.meanwhile(*(count for _ in range(draw.randrange(ATTEMPTS))))
        fresh = (seen_decided, seen_generation) == (decided, world.stored["metadata"]["generation"])
        try:
            await world.write(seen, ready_replicas=turn)
        except Conflict:
            lost += 1
        else:
            assert fresh, "a decision upon what was not there any more was written"
            decided = turn
        world.api.heal()
        assert world.stored["status"]["requestCounts"] == list(counted.values())
        assert world.stored["status"].get("readyReplicas", 0) == decided
    assert 0 < lost < 40
