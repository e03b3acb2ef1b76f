import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from controller.runtime.client.client import Client
from controller.runtime.client.core import MUTATING_WEBHOOKS
from controller.runtime.client.errors import Forbidden, Unavailable
from controller.webhooks.registration import CONFIGURATION, LOOK_AGAIN_SECONDS, WEBHOOK, Registration, patch
from tests.builders.json_patch import apply_patch
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi, refusing
from tests.fakes.clock import FakeClock

SERVICE = {"name": "aim-gpu-operator", "namespace": "aim-gpu-system", "path": "/mutate-pod"}
PATCHED = "patch mutatingwebhookconfigurations"


def configuration(*names: str, **client_config: Any) -> dict[str, Any]:
    """The configuration as the manifests install it: a webhook for each name, all with this clientConfig."""
    return {
        "metadata": {"name": CONFIGURATION, "resourceVersion": "7"},
        "webhooks": [{"name": name, "clientConfig": dict(client_config)} for name in names or (WEBHOOK,)],
    }


def patched(present: dict[str, Any], wanted: dict[str, str]) -> dict[str, Any]:
    """Our webhook's clientConfig once the patch is applied."""
    webhooks = apply_patch(present, patch(present, wanted))["webhooks"]
    found: dict[str, Any] = next(webhook["clientConfig"] for webhook in webhooks if webhook["name"] == WEBHOOK)
    return found


# The patch.


@pytest.mark.parametrize(
    ("installed", "wanted"),
    [
        pytest.param({"service": SERVICE, "caBundle": "new"}, {"caBundle": "new"}, id="a service"),
        pytest.param(
            {"url": "https://here", "caBundle": "new"}, {"url": "https://here", "caBundle": "new"}, id="a URL"
        ),
    ],
)
def test_what_is_there_already_is_not_patched(installed: dict[str, Any], wanted: dict[str, str]) -> None:
    assert patch(configuration(**installed), wanted) == []


@pytest.mark.parametrize(
    ("installed", "wanted", "want"),
    [
        pytest.param(
            {"service": SERVICE}, {"caBundle": "new"}, {"service": SERVICE, "caBundle": "new"}, id="the first CA"
        ),
        pytest.param(
            {"service": SERVICE, "caBundle": "old"},
            {"caBundle": "new"},
            {"service": SERVICE, "caBundle": "new"},
            id="another CA",
        ),
        pytest.param(
            {"service": SERVICE, "caBundle": "old"},
            {"caBundle": "new", "url": "https://here"},
            {"caBundle": "new", "url": "https://here"},
            id="a URL in the service's place",
        ),
    ],
)
def test_the_wanted_address_and_trust_are_put_in(
    installed: dict[str, Any], wanted: dict[str, str], want: dict[str, Any]
) -> None:
    assert patched(configuration(**installed), wanted) == want


def test_webhooks_of_others_in_the_configuration_stay_as_they_are() -> None:
    present = configuration("a.example.com", WEBHOOK, "z.example.com", service=SERVICE)
    after = apply_patch(present, patch(present, {"caBundle": "new"}))
    assert [webhook["clientConfig"].get("caBundle") for webhook in after["webhooks"]] == [None, "new", None]


def test_a_patch_says_which_version_it_was_made_for() -> None:
    first, second, _ = patch(configuration("other", WEBHOOK, service=SERVICE), {"caBundle": "new"})
    assert first == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    assert second == {"op": "test", "path": "/webhooks/1/name", "value": WEBHOOK}


@pytest.mark.parametrize(
    "present",
    [
        pytest.param(configuration("other.example.com"), id="webhooks of others"),
        pytest.param({"metadata": {"name": CONFIGURATION, "resourceVersion": "7"}}, id="no webhook at all"),
    ],
)
def test_a_configuration_without_our_webhook_is_refused(present: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"lack {WEBHOOK}; apply the manifests again"):
        patch(present, {"caBundle": "new"})


# Keeping it registered.


@pytest.fixture
def api() -> InMemoryApi:
    return InMemoryApi()


def install(api: InMemoryApi) -> None:
    api.put(MUTATING_WEBHOOKS, configuration(service=SERVICE, caBundle="old"))


def installed_ca(api: InMemoryApi) -> str:
    (found,) = api.of(MUTATING_WEBHOOKS)
    return str(found["webhooks"][0]["clientConfig"].get("caBundle"))


@asynccontextmanager
async def running(api: InMemoryApi) -> AsyncIterator[tuple[Registration, FakeClock]]:
    """A registration that has had its first try."""
    clock = FakeClock()
    registration = Registration(cast("Client", api), clock, lambda: {"caBundle": "new"})
    assert registration.verdict() == "the webhook is not registered yet"
    async with asyncio.TaskGroup() as group:
        task = group.create_task(registration.run())
        await clock.advance(0.0)
        yield registration, clock
        task.cancel()


async def test_a_registered_webhook_is_told_to_those_who_wait(api: InMemoryApi) -> None:
    install(api)
    async with running(api) as (registration, _):
        async with asyncio.timeout(1):
            await registration.wait_registered()
        assert (installed_ca(api), registration.verdict()) == ("new", True)


async def test_what_was_installed_over_ours_is_corrected_at_the_next_look(api: InMemoryApi) -> None:
    install(api)
    async with running(api) as (_, clock):
        install(api)
        await clock.advance(LOOK_AGAIN_SECONDS - 1)
        assert installed_ca(api) == "old"
        await clock.advance(1)
        assert installed_ca(api) == "new"


async def test_a_look_that_finds_all_well_writes_nothing(api: InMemoryApi) -> None:
    install(api)
    async with running(api) as (_, clock):
        await clock.advance(LOOK_AGAIN_SECONDS * 3)
        assert api.writes == [PATCHED]


async def test_a_missing_configuration_is_named_until_it_is_installed(api: InMemoryApi) -> None:
    async with running(api) as (registration, clock):
        await clock.advance(LOOK_AGAIN_SECONDS)
        assert f"; install MutatingWebhookConfiguration {CONFIGURATION}" in str(registration.verdict())
        install(api)
        await clock.advance(LOOK_AGAIN_SECONDS)
        assert (installed_ca(api), registration.verdict()) == ("new", True)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Forbidden(403, "Forbidden", "the account may not patch"), id="forbidden"),
        pytest.param(Unavailable(503, "Unavailable", "nobody answers"), id="no answer"),
    ],
)
async def test_a_failed_write_is_told_and_tried_again(api: InMemoryApi, error: Forbidden | Unavailable) -> None:
    install(api)
    api.before_write = refusing(PATCHED, error, times=2)
    async with running(api) as (registration, clock):
        assert registration.verdict() == str(error)
        await clock.advance(10)
        assert (installed_ca(api), registration.verdict()) == ("new", True)


async def test_a_failure_after_a_success_is_retried_sooner_than_the_next_look(api: InMemoryApi) -> None:
    install(api)
    async with running(api) as (registration, clock):
        install(api)
        api.before_write = refusing(PATCHED, Unavailable(503, "Unavailable", "nobody answers"))
        await clock.advance(LOOK_AGAIN_SECONDS)
        assert (installed_ca(api), registration.verdict()) == ("old", True)  # the API server still knows where to call
        await clock.advance(2)
        assert installed_ca(api) == "new"
