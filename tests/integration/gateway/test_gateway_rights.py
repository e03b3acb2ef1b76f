"""The gateway's rights are the least: with any rule less, something it is for does not work."""

import asyncio
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from controller.gateway.control.key_secrets import FIRST_READ_SECONDS
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.errors import ApiError
from controller.state.kinds import MODEL_PROFILES
from e2e.plane import Plane, service_account_token
from e2e.run.errors import NotListening
from e2e.run.install import MANIFESTS
from e2e.run.processes import start_gateway
from tests.builders.model_profile import MODEL, model_profile
from tests.integration.gateway.engines import engines
from tests.integration.gateway.test_gateway_flow import requests, token_of
from tests.integration.gateway.world import World, bind_keys
from tests.integration.operator.running import AIM, Object, running, service

pytestmark = pytest.mark.plane

ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
LIMIT_SECONDS = 6.0
"""For what works at once where it works at all."""


def roles() -> Mapping[str, list[Object]]:
    """The rules of each ClusterRole of the gateway, as the manifest has them."""
    found = yaml.safe_load_all((MANIFESTS / "gateway-rbac.yaml").read_text(encoding="utf-8"))
    return {obj["metadata"]["name"]: obj["rules"] for obj in found if obj["kind"] == "ClusterRole"}


def shown(rule: Object) -> str:
    return ",".join(rule["resources"])


async def put_rules(world: World, role: str, rules: list[Object]) -> None:
    """Change the role, and wait until the API server goes by it."""
    await world.cluster.patch(f"{ROLES}/{role}", {"rules": rules})
    await asyncio.sleep(1.0)


async def metrics_answer(world: World, token: str) -> bool:
    """Whether a scraper that may read metrics gets them."""
    url = f"https://127.0.0.1:{world.gateway.ports['metrics']}/metrics"
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as client, client.get(url, headers=headers, ssl=False) as answer:
        return answer.status == 200


async def observed(world: World) -> bool:
    """Whether what the engine took was written."""
    status = (await world.cluster.get(f"{AIM}/modelprofiles/chat-8b")).get("status", {})
    return "observed" in status


async def within(check: Any) -> bool:
    """Whether the async check holds soon."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LIMIT_SECONDS):
            while not await check():  # noqa: ASYNC110 - nobody signals what a server does
                await asyncio.sleep(0.2)
            return True
    return False


async def what_works(world: World, key: str, scraper: str) -> dict[str, bool]:
    """Start the gateway, use all of it, and end it."""
    await world.cluster.patch(f"{AIM}/modelprofiles/chat-8b/status", {"status": {"observed": None}})
    try:
        await world.gateway.start(LIMIT_SECONDS + FIRST_READ_SECONDS)
    except NotListening:
        await world.gateway.kill()
        return {"start": False}
    before = await requests(world)
    token = await token_of(world, world.namespace)

    async def by(caller: str) -> bool:
        return (await world.ask(caller)).status == 200

    works = {
        "key": await within(lambda: by(key)),
        "token": await within(lambda: by(token)),
        "metrics": await within(lambda: metrics_answer(world, scraper)),
        "observed": await within(lambda: observed(world)),
    }
    await world.gateway.kill(signal.SIGTERM)
    return works | {"counts": await requests(world) > before}


@pytest.mark.timeout(420)
async def test_no_rule_can_be_left_out(plane: Plane, tmp_path: Path) -> None:
    nodes = {"gpu": "CPX/NPS4"}
    async with running(plane, tmp_path, nodes) as cluster, engines(tmp_path) as listening:
        await bind_keys(cluster, cluster.namespace)
        await cluster.create(f"{AIM}/modelprofiles", model_profile() | {"metadata": {"name": "chat-8b"}})
        await let_scrape(cluster.plane)
        options = ("--key-namespace", cluster.namespace, "--metrics-secure")
        async with start_gateway(plane, tmp_path / "g", addresses=listening.file, arguments=options) as gateway:
            world = World(cluster, listening, gateway, tmp_path)
            try:
                await each_rule(world)
            finally:
                for role, rules in roles().items():
                    await cluster.patch(f"{ROLES}/{role}", {"rules": rules})
                await cluster.delete(f"{AIM}/modelprofiles/chat-8b")


async def each_rule(world: World) -> None:
    wanted = service("chat", MODEL, qos={"slo": [{"metric": "requestLatency", "threshold": "5s"}]})
    wanted["spec"]["model"] |= {"maxConcurrency": 1, "maxModelLen": 4096}
    await world.cluster.create(world.cluster.services_path, wanted)
    await world.ready("chat", 1)
    key = await world.key()
    scraper = await asyncio.to_thread(service_account_token, world.cluster.plane, "default", "scraper")
    await world.gateway.kill(signal.SIGTERM)
    assert await what_works(world, key, scraper) == dict.fromkeys(
        ("key", "token", "metrics", "observed", "counts"), True
    )
    missed = {}
    for role, rules in roles().items():
        for number, rule in enumerate(rules):
            await put_rules(world, role, rules[:number] + rules[number + 1 :])
            works = await what_works(world, key, scraper)
            missed[f"{role}: {shown(rule)}"] = sorted(name for name, works_still in works.items() if not works_still)
        await put_rules(world, role, rules)
    assert [rule for rule, lost in missed.items() if not lost] == []
    # and what was lost is what the rule is for
    assert missed["aim-gpu-gateway: inferenceservices/status"] == ["counts"]
    assert missed["aim-gpu-gateway: modelprofiles/status"] == ["observed"]
    assert missed["aim-gpu-gateway: subjectaccessreviews"] == ["metrics"]
    assert missed["aim-gpu-gateway: tokenreviews"] == ["metrics", "token"]
    assert missed["aim-gpu-gateway-keys: secrets"] == ["key"]


async def let_scrape(plane: Plane) -> None:
    """A ServiceAccount that may read metrics."""
    subject = {"kind": "ServiceAccount", "name": "scraper", "namespace": "default"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "aim-gpu-metrics-reader"}
    binding = {"metadata": {"name": "scraper"}, "roleRef": role, "subjects": [subject]}
    for path, obj in (
        ("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "scraper"}}),
        ("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding),
    ):
        if plane.admin.find(f"{path}/scraper") is None:
            await asyncio.to_thread(plane.admin.create, path, obj)


async def test_of_a_models_profile_the_gateway_writes_what_was_observed_alone(plane: Plane) -> None:
    """RBAC gives it the whole status; the guard does not."""
    admin, path = plane.admin, f"{AIM}/modelprofiles/guarded"
    profile = model_profile("guarded", "acme/guarded") | {"metadata": {"name": "guarded"}}
    await asyncio.to_thread(admin.create, f"{AIM}/modelprofiles", profile)
    try:
        token = await asyncio.to_thread(service_account_token, plane, "aim-gpu-gateway", "aim-gpu-gateway")
        configuration = ClientConfiguration(server=plane.server, token=token, ca=str(plane.ca))
        async with Client(configuration) as client:
            seen = {"observed": {"peakBytes": 5, "samples": 1}}
            await client.merge_patch(MODEL_PROFILES, "guarded", {"status": seen}, subresource="status")
            forged = {"sizes": [{"precision": "bf16", "totalBytes": 1}]}
            with pytest.raises(ApiError, match="the gateway writes observed and nothing else"):
                await client.merge_patch(MODEL_PROFILES, "guarded", {"status": forged}, subresource="status")
    finally:
        await asyncio.to_thread(admin.delete, path)
