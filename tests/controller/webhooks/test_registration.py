import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from controller.runtime.client.client import Client
from controller.runtime.client.core import CUSTOM_RESOURCE_DEFINITIONS, MUTATING_WEBHOOKS
from controller.runtime.client.errors import Forbidden, Invalid, Unavailable
from controller.webhooks.registration import LOOK_AGAIN_SECONDS, Registration
from controller.webhooks.targets import Address, Conversion, WebhookConfiguration
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi, refusing
from tests.fakes.clock import FakeClock

WEBHOOK = "gate.example.com"
HOOKS = WebhookConfiguration(MUTATING_WEBHOOKS, "gate", {WEBHOOK: "/gate"})
CRD = Conversion("gadgets.example.com", "/convert", ("v1", "v2"))
SERVICE = {"name": "operator", "namespace": "system"}
PATCHED = ["patch mutatingwebhookconfigurations", "patch customresourcedefinitions"]
NEW = Address("new")


@pytest.fixture
def api() -> InMemoryApi:
    return InMemoryApi()


def install(api: InMemoryApi, *, hooks: bool = True, crd: bool = True) -> None:
    """As the manifests have them, over whatever is there."""
    config = {"service": SERVICE, "caBundle": "old"}
    if hooks:
        webhooks = [{"name": WEBHOOK, "clientConfig": config}]
        api.put(MUTATING_WEBHOOKS, {"metadata": {"name": HOOKS.name}, "webhooks": webhooks})
    if crd:
        conversion = {"strategy": "Webhook", "webhook": {"clientConfig": config}}
        spec = {"versions": [{"name": "v1"}, {"name": "v2"}], "conversion": conversion}
        api.put(CUSTOM_RESOURCE_DEFINITIONS, {"metadata": {"name": CRD.name}, "spec": spec})


def authorities(api: InMemoryApi) -> list[str]:
    """The caBundle in each target."""
    (hooks,), (crd,) = api.of(MUTATING_WEBHOOKS), api.of(CUSTOM_RESOURCE_DEFINITIONS)
    return [str(place.installed["caBundle"]) for place in (*HOOKS.places(hooks), *CRD.places(crd))]


@asynccontextmanager
async def running(
    api: InMemoryApi, address: Callable[[], Address] = lambda: NEW
) -> AsyncIterator[tuple[Registration, FakeClock]]:
    """A registration that has had its first try."""

    async def wanted() -> Address:
        return address()

    clock = FakeClock()
    registration = Registration(cast("Client", api), clock, (HOOKS, CRD), wanted)
    assert registration.verdict() == "the webhooks are not registered yet"
    async with asyncio.TaskGroup() as group:
        task = group.create_task(registration.run())
        await clock.advance(0.0)
        yield registration, clock
        task.cancel()


async def test_registered_webhooks_are_told_to_those_who_wait(api: InMemoryApi) -> None:
    install(api)
    async with running(api) as (registration, _):
        async with asyncio.timeout(30):
            await registration.wait_registered()
        assert (authorities(api), registration.verdict()) == (["new", "new"], True)
        assert api.writes == PATCHED


async def test_what_was_installed_over_ours_is_corrected_at_once_when_it_is_told(api: InMemoryApi) -> None:
    install(api)
    async with running(api) as (registration, clock):
        install(api)
        registration.look_now()
        await clock.advance(0.0)
        assert authorities(api) == ["new", "new"]


async def test_what_was_installed_over_ours_is_corrected_at_the_next_look(api: InMemoryApi) -> None:
    install(api)
    async with running(api) as (_, clock):
        install(api, crd=False)
        await clock.advance(LOOK_AGAIN_SECONDS - 1)
        assert authorities(api) == ["old", "new"]
        await clock.advance(1)
        assert authorities(api) == ["new", "new"]


async def test_a_new_certificate_is_published_at_once(api: InMemoryApi) -> None:
    install(api)
    address = [NEW]
    async with running(api, lambda: address[0]) as (registration, clock):
        for bundle in ("newer", "newest", "newest of all"):
            address[0] = Address(bundle)
            registration.look_now()
            await clock.advance(0.0)
            assert authorities(api) == [bundle] * 2


async def test_an_authority_is_published_once_every_target_names_it(api: InMemoryApi) -> None:
    def trusting(text: bytes) -> Address:
        return Address(base64.b64encode(text).decode(), NEW.base_url)

    install(api)
    address = [trusting(b"old\n")]
    async with running(api, lambda: address[0]) as (registration, clock):
        assert await registration.publishes(b"old\n")
        assert not await registration.publishes(b"next\n")
        address[0] = trusting(b"old\nnext\n")
        registration.look_now()
        await clock.advance(0.0)
        assert await registration.publishes(b"next\n")
        crd = api.of(CUSTOM_RESOURCE_DEFINITIONS)[0]
        crd["spec"]["conversion"]["webhook"]["clientConfig"].pop("caBundle")
        api.put(CUSTOM_RESOURCE_DEFINITIONS, crd)
        assert not await registration.publishes(b"next\n")


async def test_what_a_replica_knows_of_a_newer_certificate_is_not_written_over(api: InMemoryApi) -> None:
    install(api)
    async with running(api):
        written = list(api.writes)
    known = iter([Address("old")])  # until it is asked again
    async with running(api, lambda: next(known, NEW)) as (registration, _):
        assert (authorities(api), registration.verdict()) == (["new", "new"], True)
    assert api.writes == written


async def test_whoever_writes_over_ours_again_and_again_is_not_raced(api: InMemoryApi) -> None:
    install(api)
    async with running(api) as (registration, clock):
        for _ in range(600):
            if authorities(api) == ["new", "new"]:
                install(api)
                registration.look_now()
            await clock.advance(0.1)
        assert len(api.writes) < 30


async def test_a_look_that_finds_all_well_writes_nothing(api: InMemoryApi) -> None:
    install(api)
    async with running(api) as (_, clock):
        await clock.advance(LOOK_AGAIN_SECONDS * 3)
        assert api.writes == PATCHED


async def test_everything_that_is_missing_is_named_and_the_rest_is_registered(api: InMemoryApi) -> None:
    install(api, hooks=False)
    async with running(api) as (registration, clock):
        await clock.advance(LOOK_AGAIN_SECONDS)
        assert f"; install MutatingWebhookConfiguration {HOOKS.name}" in str(registration.verdict())
        assert api.writes == PATCHED[1:]
        install(api)
        await clock.advance(LOOK_AGAIN_SECONDS)
        assert (authorities(api), registration.verdict()) == (["new", "new"], True)


async def test_two_missing_objects_are_both_named(api: InMemoryApi) -> None:
    async with running(api) as (registration, _):
        said = str(registration.verdict())
        assert [text for text in (f"install {HOOKS}", f"install {CRD}") if text not in said] == []


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Forbidden(403, "Forbidden", "the account may not patch"), id="forbidden"),
        pytest.param(Unavailable(503, "Unavailable", "nobody answers"), id="no answer"),
    ],
)
async def test_a_failed_write_is_told_and_tried_again(api: InMemoryApi, error: Forbidden | Unavailable) -> None:
    install(api)
    api.before_write = refusing(PATCHED[0], error, times=2)
    async with running(api) as (registration, clock):
        assert registration.verdict() == str(error)
        assert authorities(api) == ["old", "new"]
        await clock.advance(10)
        assert (authorities(api), registration.verdict()) == (["new", "new"], True)


async def test_of_two_replicas_that_write_at_once_the_second_looks_again_at_once(api: InMemoryApi) -> None:
    install(api)
    another: list[Any] = []

    def wrote_first(verb: str) -> None:
        if verb == PATCHED[0] and not another:
            another.append(verb)
            install(api, crd=False)
            raise Invalid(422, "Invalid", "the server rejected our request due to an error in our request")

    api.before_write = wrote_first
    async with running(api) as (registration, _):
        assert (authorities(api), registration.verdict()) == (["new", "new"], True)


async def test_a_failure_after_a_success_is_retried_sooner_than_the_next_look(api: InMemoryApi) -> None:
    install(api)
    async with running(api) as (registration, clock):
        install(api)
        api.before_write = refusing(PATCHED[0], Unavailable(503, "Unavailable", "nobody answers"))
        await clock.advance(LOOK_AGAIN_SECONDS)
        assert authorities(api) == ["old", "new"]
        assert registration.verdict() is True  # the API server still knows where to call
        await clock.advance(2)
        assert authorities(api) == ["new", "new"]
