"""Storage migration against a fake API server: what is written, in which order, and when nothing may be trimmed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS
from controller.runtime.client.resource import Resource
from controller.runtime.storage_migration import LOOK_AGAIN_SECONDS, PAGE_LIMIT, StorageMigration, needed
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import SkippingClock

GADGETS = Resource("g.example", "v2", "gadgets", "Gadget")
NAME = "gadgets.g.example"
GENERATION = 3


def definition(*stored: str, generation: int = GENERATION) -> dict[str, Any]:
    """The CRD whose storage version is v2, with `stored` as its storedVersions."""
    return {
        "metadata": {"name": NAME, "generation": generation, "uid": "crd"},
        "spec": {
            "group": "g.example",
            "scope": "Namespaced",
            "names": {"plural": "gadgets", "kind": "Gadget"},
            "versions": [{"name": "v1", "storage": False}, {"name": "v2", "storage": True}],
        },
        "status": {"storedVersions": list(stored)},
    }


@pytest.fixture
async def api() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as server:
        server.serve(CONFIG_MAPS)
        server.serve(GADGETS)
        server.put(CUSTOM_RESOURCE_DEFINITIONS, definition("v1", "v2"))
        yield server


def fill(api: FakeApiServer, count: int) -> None:
    for number in range(count):
        api.put(GADGETS, {"metadata": {"namespace": "default", "name": f"g{number:04}"}, "spec": {"size": number}})


def remember(api: FakeApiServer, *, generation: int = GENERATION, token: str) -> None:
    """A position that an earlier process left."""
    position = orjson.dumps({"uid": "crd", "generation": generation, "token": token, "refused": 0}).decode()
    api.put(CONFIG_MAPS, {"metadata": {"namespace": "sys", "name": "position"}, "data": {NAME: position}})


def remembered(api: FakeApiServer) -> dict[str, Any]:
    found = api.objects(CONFIG_MAPS).get("sys/position", {})
    return {name: orjson.loads(text) for name, text in (found.get("data") or {}).items()}


def stored_versions(api: FakeApiServer) -> list[str]:
    versions: list[str] = api.objects(CUSTOM_RESOURCE_DEFINITIONS)[NAME]["status"]["storedVersions"]
    return versions


def rewritten(api: FakeApiServer) -> list[str]:
    """Names of the gadgets, a PUT each."""
    return [seen.path.rpartition("/")[2] for seen in api.seen if seen.was("PUT") and "/gadgets/" in seen.path]


@asynccontextmanager
async def migrating(
    api: FakeApiServer, clock: SkippingClock | None = None, **options: Any
) -> AsyncIterator[StorageMigration]:
    clock = clock or SkippingClock()
    async with Client(ClientConfiguration(server=api.url), clock=clock) as client, asyncio.TaskGroup() as tasks:
        migration = StorageMigration(client, [NAME], namespace="sys", name="position", clock=clock, **options)
        task = tasks.create_task(migration.run())
        yield migration
        task.cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what the server has been asked
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("stored", [pytest.param(("v2",), id="the storage version"), pytest.param((), id="none yet")])
def test_a_definition_with_nothing_old_needs_nothing(stored: tuple[str, ...]) -> None:
    assert needed(definition(*stored)) is None


@pytest.mark.parametrize("stored", [("v1",), ("v1", "v2"), ("v2", "v1")])
def test_a_definition_with_an_old_version_names_its_kind_in_the_new_one(stored: tuple[str, ...]) -> None:
    found = needed(definition(*stored))
    assert found is not None
    assert (found.resource, found.stored) == (GADGETS, stored)


async def test_every_object_is_written_as_it_was_and_old_versions_are_trimmed(api: FakeApiServer) -> None:
    fill(api, PAGE_LIMIT + 30)
    before = dict(api.objects(GADGETS))
    async with migrating(api) as migration:
        await until(lambda: migration.statistics().finished == 1)
    assert sorted(rewritten(api)) == [f"g{number:04}" for number in range(PAGE_LIMIT + 30)]
    assert api.objects(GADGETS) == before
    assert (stored_versions(api), remembered(api)) == (["v2"], {})


async def test_a_definition_that_needs_nothing_is_left_alone(api: FakeApiServer) -> None:
    api.put(CUSTOM_RESOURCE_DEFINITIONS, definition("v2"))
    fill(api, 3)
    clock = SkippingClock()
    async with migrating(api, clock):
        await until(lambda: len(clock.slept) > 2)
    assert (rewritten(api), api.count("PATCH")) == ([], 0)
    assert min(clock.slept) >= 0.9 * LOOK_AGAIN_SECONDS


async def test_another_process_goes_on_where_the_first_one_got_to(api: FakeApiServer) -> None:
    fill(api, 3 * PAGE_LIMIT)
    remember(api, token=str(2 * PAGE_LIMIT))
    async with migrating(api) as migration:
        await until(lambda: migration.statistics().finished == 1)
        assert migration.statistics().resumed == 1
    assert len(rewritten(api)) == PAGE_LIMIT
    assert stored_versions(api) == ["v2"]


async def test_how_far_it_got_is_noted_under_way(api: FakeApiServer) -> None:
    fill(api, 3 * PAGE_LIMIT)
    notes: list[int] = []

    async def note(_: web.Request) -> web.StreamResponse:
        notes.append(int(remembered(api)[NAME]["token"] or 0))
        return await faults.refusal(409, "Conflict")(_)

    async with migrating(api, per_second=40.0) as migration:
        await until(lambda: len(rewritten(api)) > 2 * PAGE_LIMIT)
        api.play(note, on="PUT")
        await until(lambda: migration.statistics().finished == 1)
        assert migration.statistics().superseded == 1
    assert notes == [2 * PAGE_LIMIT]


async def test_a_position_of_another_state_of_the_definition_does_not_count(api: FakeApiServer) -> None:
    fill(api, PAGE_LIMIT)
    remember(api, generation=GENERATION - 1, token="100")
    async with migrating(api) as migration:
        await until(lambda: migration.statistics().finished == 1)
    assert len(rewritten(api)) == PAGE_LIMIT


async def test_an_expired_token_starts_over(api: FakeApiServer) -> None:
    fill(api, PAGE_LIMIT + 1)
    remember(api, token="100")
    api.play(faults.refusal(410, "Expired", "The provided continue parameter is too old"), on="list")
    async with migrating(api) as migration:
        await until(lambda: migration.statistics().finished == 1)
        assert migration.statistics().restarted == 1
    assert len(rewritten(api)) == PAGE_LIMIT + 1


@pytest.mark.parametrize(
    "answer", [faults.refusal(409, "Conflict"), faults.refusal(404, "NotFound")], ids=["changed", "deleted"]
)
async def test_what_others_wrote_or_deleted_meanwhile_is_done(api: FakeApiServer, answer: Any) -> None:
    fill(api, 5)
    api.play(answer, on="PUT")
    async with migrating(api) as migration:
        await until(lambda: migration.statistics().finished == 1)
        assert (migration.statistics().written, migration.statistics().superseded) == (4, 1)
    assert stored_versions(api) == ["v2"]


async def test_while_one_object_is_refused_nothing_is_trimmed_and_the_others_are_written(api: FakeApiServer) -> None:
    fill(api, 20)
    api.play(faults.refusal(422, "Invalid", "spec.size: too large"), on="PUT")
    async with migrating(api) as migration:
        await until(lambda: migration.statistics().written >= 19)
        assert stored_versions(api) == ["v1", "v2"]
        await until(lambda: migration.statistics().finished == 1)
        assert (migration.statistics().written, migration.statistics().refused) == (19 + 20, 1)
    assert stored_versions(api) == ["v2"]


async def test_a_definition_that_changed_meanwhile_is_not_trimmed_but_migrated_again(api: FakeApiServer) -> None:
    fill(api, 20)

    async def change(request: web.Request) -> web.StreamResponse:
        api.put(CUSTOM_RESOURCE_DEFINITIONS, definition("v1", "v2", generation=GENERATION + 1))
        return await api.perform(request)

    api.play(change, on="PUT")
    async with migrating(api) as migration:
        await until(lambda: migration.statistics().finished == 1)
    assert len(rewritten(api)) == 40
    assert stored_versions(api) == ["v2"]


async def test_it_waits_longer_and_longer_while_the_conversion_does_not_work(api: FakeApiServer) -> None:
    fill(api, 5)
    api.play(*[faults.refusal(500, "InternalError", "conversion webhook failed")] * 4, on="list")
    clock = SkippingClock()
    async with migrating(api, clock, settle_seconds=0.0) as migration:
        await until(lambda: migration.statistics().finished == 1)
    waits = [seconds for seconds in clock.slept if 0.5 < seconds < LOOK_AGAIN_SECONDS / 2]
    assert len(waits) == 4
    assert waits[-1] > 4 * 0.8
    assert stored_versions(api) == ["v2"]


async def test_no_more_objects_a_second_are_written_than_was_asked(api: FakeApiServer) -> None:
    fill(api, 100)
    clock = SkippingClock()
    async with migrating(api, clock, per_second=50.0, settle_seconds=0.0) as migration:
        await until(lambda: migration.statistics().finished == 1)
    paused = sum(seconds for seconds in clock.slept if seconds < LOOK_AGAIN_SECONDS / 2)
    assert paused == pytest.approx(100 / 50, abs=8 / 50)


async def test_it_gives_api_servers_time_to_hear_of_the_definition_before_it_writes(api: FakeApiServer) -> None:
    fill(api, 1)
    clock = SkippingClock()
    async with migrating(api, clock, settle_seconds=7.0) as migration:
        await until(lambda: migration.statistics().finished == 1)
    assert clock.slept[0] == 7.0
