"""Applies and status writes that are left out, as the API server sees it: in requests."""

from typing import Any

import pytest

from controller.runtime.client.apply import Applier, Outcome, apply_to, write_status
from controller.runtime.client.client import Client
from controller.runtime.client.core import CONFIG_MAPS
from controller.runtime.client.errors import Conflict, Forbidden
from controller.runtime.manifest import Manifest
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer

WANTED: Manifest = {"metadata": {"namespace": "ns", "name": "a"}, "data": {"x": "1"}}


@pytest.fixture
def applier(api: FakeApiServer, client: Client) -> Applier:
    api.serve(CONFIG_MAPS)
    return Applier(client, "us")


def stored(api: FakeApiServer, **more: Any) -> Manifest:
    return api.put(CONFIG_MAPS, WANTED | more)


def live(api: FakeApiServer) -> Manifest:
    return api.objects(CONFIG_MAPS)["ns/a"]


async def test_what_is_not_in_the_cache_is_applied(api: FakeApiServer, applier: Applier) -> None:
    applied = await applier.apply(CONFIG_MAPS, WANTED, None)
    assert applied.outcome is Outcome.CREATED
    assert applied.object == live(api)
    assert api.seen[0].query == {"fieldManager": "us", "force": "true"}


async def test_the_same_again_sends_nothing(api: FakeApiServer, applier: Applier) -> None:
    await applier.apply(CONFIG_MAPS, WANTED, None)
    for _ in range(3):
        applied = await applier.apply(CONFIG_MAPS, WANTED, live(api))
        assert applied.outcome is Outcome.UNCHANGED
        assert applied.object is live(api)
    assert len(api.seen) == 1


async def test_a_fresh_process_applies_once(api: FakeApiServer, applier: Applier) -> None:
    stored(api)
    first = await applier.apply(CONFIG_MAPS, WANTED, live(api))
    again = await applier.apply(CONFIG_MAPS, WANTED, live(api))
    assert (first.outcome, again.outcome) == (Outcome.UNCHANGED, Outcome.UNCHANGED)
    assert len(api.seen) == 1


def owned_by(manager: str) -> dict[str, Any]:
    entry = {"manager": manager, "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:x": {}}}}
    return {"apiVersion": "v1", "metadata": WANTED["metadata"] | {"managedFields": [entry]}}


async def test_what_was_read_and_is_as_it_should_be_is_not_written(api: FakeApiServer, client: Client) -> None:
    api.serve(CONFIG_MAPS)
    present = stored(api, **owned_by("us"))
    assert await apply_to(client, CONFIG_MAPS, WANTED, present, field_manager="us") is present
    assert not api.seen


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(owned_by("us") | {"data": {"x": "2"}}, id="with another value"),
        pytest.param(owned_by("them"), id="that others own"),
        pytest.param({}, id="without managedFields"),
    ],
)
async def test_what_was_read_otherwise_is_written(api: FakeApiServer, client: Client, made: dict[str, Any]) -> None:
    api.serve(CONFIG_MAPS)
    present = stored(api, **made)
    answer = await apply_to(client, CONFIG_MAPS, WANTED, present, field_manager="us")
    assert answer["data"] == WANTED["data"]
    assert [seen.method for seen in api.seen] == ["PATCH"]


async def test_what_is_not_there_is_written(api: FakeApiServer, client: Client) -> None:
    api.serve(CONFIG_MAPS)
    assert (await apply_to(client, CONFIG_MAPS, WANTED, {}, field_manager="us"))["data"] == WANTED["data"]


async def test_a_change_by_others_is_put_right(api: FakeApiServer, applier: Applier) -> None:
    await applier.apply(CONFIG_MAPS, WANTED, None)
    stored(api, data={"x": "2"})
    applied = await applier.apply(CONFIG_MAPS, WANTED, live(api))
    assert applied.outcome is Outcome.CHANGED
    assert live(api)["data"] == {"x": "1"}


async def test_a_field_that_we_let_go_is_told_to_the_server(api: FakeApiServer, applier: Applier) -> None:
    await applier.apply(CONFIG_MAPS, WANTED | {"data": {"x": "1", "y": "2"}}, None)
    await applier.apply(CONFIG_MAPS, WANTED, live(api))
    assert len(api.seen) == 2


async def test_another_object_of_that_name_is_applied_to(api: FakeApiServer, applier: Applier) -> None:
    await applier.apply(CONFIG_MAPS, WANTED, None)
    api.remove(CONFIG_MAPS, "ns/a")
    stored(api)
    await applier.apply(CONFIG_MAPS, WANTED, live(api))
    assert len(api.seen) == 2


async def test_managed_fields_spare_the_first_request_too(api: FakeApiServer, applier: Applier) -> None:
    owned = {"manager": "us", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:x": {}}}}
    stored(api, metadata=WANTED["metadata"] | {"managedFields": [owned]})
    applied = await applier.apply(CONFIG_MAPS, WANTED, live(api))
    assert applied.outcome is Outcome.UNCHANGED
    assert api.seen == []


async def test_a_refused_apply_is_not_remembered(api: FakeApiServer, applier: Applier) -> None:
    stored(api)
    api.play(faults.refusal(403, "Forbidden"), on="PATCH")
    with pytest.raises(Forbidden):
        await applier.apply(CONFIG_MAPS, WANTED, live(api))
    await applier.apply(CONFIG_MAPS, WANTED, live(api))
    assert len(api.seen) == 2


async def test_it_remembers_a_bounded_number(api: FakeApiServer, client: Client) -> None:
    api.serve(CONFIG_MAPS)
    applier = Applier(client, "us", remembered=1)
    other = WANTED | {"metadata": {"namespace": "ns", "name": "b"}}
    await applier.apply(CONFIG_MAPS, WANTED, None)
    await applier.apply(CONFIG_MAPS, other, None)
    await applier.apply(CONFIG_MAPS, WANTED, live(api))
    await applier.apply(CONFIG_MAPS, other, api.objects(CONFIG_MAPS)["ns/b"])
    assert len(api.seen) == 4


async def test_an_equal_status_is_not_written(api: FakeApiServer, client: Client) -> None:
    present = stored(api, status={"phase": "Ready"})
    applied = await write_status(client, CONFIG_MAPS, present, {"phase": "Ready"})
    assert (applied.outcome, applied.object) == (Outcome.UNCHANGED, present)
    assert (await write_status(client, CONFIG_MAPS, stored(api), {})).outcome is Outcome.UNCHANGED
    assert api.seen == []


async def test_another_status_is_put_on_the_version_that_was_seen(api: FakeApiServer, client: Client) -> None:
    present = stored(api, status={"phase": "Ready", "old": 1})
    applied = await write_status(client, CONFIG_MAPS, present, {"phase": "Failed"})
    assert applied.outcome is Outcome.CHANGED
    assert live(api)["status"] == {"phase": "Failed"}
    assert (api.seen[0].method, api.seen[0].path) == ("PUT", "/api/v1/namespaces/ns/configmaps/a/status")
    with pytest.raises(Conflict):
        await write_status(client, CONFIG_MAPS, present, {"phase": "Late"})
