"""The gateway's rights are the least: with any rule less, something it is for does not work."""

import asyncio
import signal
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.errors import ApiError
from controller.state.kinds import MODEL_PROFILES
from e2e.chart import installed
from e2e.plane import Plane, service_account_token
from e2e.run.errors import NotListening, ProcessDied
from e2e.run.processes import GATEWAY_NAMESPACE, Worker, gateway_worker, start_gateway
from tests.builders.model_profile import MODEL, model_profile
from tests.integration.gateway.engines import engines
from tests.integration.gateway.test_gateway_flow import requests, token_of
from tests.integration.gateway.world import World, bind_keys
from tests.integration.operator.running import AIM, Object, running, service

pytestmark = pytest.mark.plane

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ROLES, BINDINGS = f"{RBAC}/clusterroles", f"{RBAC}/clusterrolebindings"
KEY_BINDINGS = f"{RBAC}/namespaces/{GATEWAY_NAMESPACE}/rolebindings"
ACCOUNTS = f"/api/v1/namespaces/{GATEWAY_NAMESPACE}/serviceaccounts"
READER = "aim-gpu-gateway"
"""The ClusterRole with all that the gateway reads everywhere."""
WHOLE = "lacks-nothing"
LIMIT_SECONDS = 6.0
"""For what works at once where it works at all; on a slow machine three times as long as it takes with every right."""
PATIENT_SECONDS = 60.0


def roles() -> Mapping[str, list[Object]]:
    """The rules of each ClusterRole of the gateway, as the chart has them."""
    found = installed.objects(installed.GATEWAY, kind="ClusterRole")
    return {obj["metadata"]["name"]: obj["rules"] for obj in found}


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


async def within(check: Any, limit_seconds: float) -> bool:
    """Whether the async check holds soon."""
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_seconds):
            while not await check():  # noqa: ASYNC110 - nobody signals what a server does
                await asyncio.sleep(0.2)
            return True
    return False


async def what_works(world: World, key: str, scraper: str, limit_seconds: float) -> tuple[dict[str, bool], float]:
    """Start the gateway, use all of it, and end it. What of it worked, and how many seconds using it took."""
    await world.cluster.patch(f"{AIM}/modelprofiles/chat-8b/status", {"status": {"observed": None}})
    try:
        await world.gateway.start()
    except NotListening:
        await world.gateway.kill()
        return {"start": False}, 0.0
    before = await requests(world)
    token = await token_of(world, world.namespace)

    async def by(caller: str) -> bool:
        return (await world.ask(caller)).status == 200

    uses = {
        "key": lambda: by(key),
        "token": lambda: by(token),
        "metrics": lambda: metrics_answer(world, scraper),
        "observed": lambda: observed(world),
    }
    began = asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as tasks:
        checks = {name: tasks.create_task(within(use, limit_seconds)) for name, use in uses.items()}
    took = asyncio.get_running_loop().time() - began
    await world.gateway.kill(signal.SIGTERM)
    works = {name: check.result() for name, check in checks.items()}
    return works | {"counts": await requests(world) > before}, took


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
    works, took = await what_works(world, key, scraper, PATIENT_SECONDS)
    assert works == dict.fromkeys(("key", "token", "metrics", "observed", "counts"), True)
    limit = max(LIMIT_SECONDS, 3 * took)
    missed = {f"{READER}: {shown(rule)}": ["start"] for rule in await without_which_none_starts(world)}
    for role, rules in roles().items():
        for number, rule in enumerate(rules):
            if f"{role}: {shown(rule)}" in missed:
                continue
            await put_rules(world, role, rules[:number] + rules[number + 1 :])
            works, _ = await what_works(world, key, scraper, limit)
            missed[f"{role}: {shown(rule)}"] = sorted(name for name, works_still in works.items() if not works_still)
        await put_rules(world, role, rules)
    assert [rule for rule, lost in missed.items() if not lost] == []
    # and what was lost is what the rule is for
    assert missed["aim-gpu-gateway: inferenceservices/status"] == ["counts"]
    assert missed["aim-gpu-gateway: modelprofiles/status"] == ["observed"]
    assert missed["aim-gpu-gateway: subjectaccessreviews"] == ["metrics"]
    assert missed["aim-gpu-gateway: tokenreviews"] == ["metrics", "token"]
    assert missed["aim-gpu-gateway-keys: secrets"] == ["key"]


async def without_which_none_starts(world: World) -> list[Object]:
    """The rules by which the gateway reads, without which it does not get ready.

    A gateway for each, of an account of its own, all at once: what they wait for in vain they wait for together. One
    that lacks nothing is among them, and the others are given longer than it took.
    """
    plane, rules = world.cluster.plane, roles()[READER]
    reading = {f"lacks-{number}": rule for number, rule in enumerate(rules) if rule["verbs"] == ["list", "watch"]}
    accounts = {WHOLE: rules, **{name: [rule for rule in rules if rule is not left] for name, left in reading.items()}}
    await asyncio.to_thread(let_read, plane, accounts)
    workers = {name: await reader(world, name) for name in accounts}
    try:
        async with asyncio.TaskGroup() as tasks:
            starting = {name: tasks.create_task(starts(worker)) for name, worker in workers.items()}
            assert await starting[WHOLE]
            await asyncio.sleep(LIMIT_SECONDS)
            started = {name for name, task in starting.items() if task.done() and task.result()}
            for task in starting.values():
                task.cancel()
        return [rule for name, rule in reading.items() if name not in started]
    finally:
        async with asyncio.TaskGroup() as tasks:
            for worker in workers.values():
                tasks.create_task(worker.close())
        await asyncio.to_thread(forget, plane, accounts)


async def reader(world: World, account: str) -> Worker:
    """A gateway as that account."""
    folder = world.folder / account
    return await gateway_worker(
        world.cluster.plane, folder, addresses=world.engines.file, name=account, account=account
    )


async def starts(worker: Worker) -> bool:
    """Whether it gets ready."""
    try:
        await worker.start()
    except (NotListening, ProcessDied):
        return False
    return True


def let_read(plane: Plane, accounts: Mapping[str, list[Object]]) -> None:
    """ServiceAccounts of the gateway's namespace with a ClusterRole each that has these rules, and its keys."""
    for name, rules in accounts.items():
        subjects = [{"kind": "ServiceAccount", "name": name, "namespace": GATEWAY_NAMESPACE}]
        metadata = {"metadata": {"name": name}}
        plane.admin.create(ACCOUNTS, metadata)
        plane.admin.create(ROLES, metadata | {"rules": rules})
        for bindings, role in ((BINDINGS, name), (KEY_BINDINGS, "aim-gpu-gateway-keys")):
            bound = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
            plane.admin.create(bindings, metadata | {"roleRef": bound, "subjects": subjects})


def forget(plane: Plane, accounts: Iterable[str]) -> None:
    """They are gone, with what they may do."""
    for name in accounts:
        for path in (KEY_BINDINGS, BINDINGS, ROLES, ACCOUNTS):
            plane.admin.delete(f"{path}/{name}")


async def let_scrape(plane: Plane) -> None:
    """A ServiceAccount that may read metrics."""
    subject = {"kind": "ServiceAccount", "name": "scraper", "namespace": "default"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "aim-gpu-metrics-reader"}
    binding = {"metadata": {"name": "scraper"}, "roleRef": role, "subjects": [subject]}
    for path, obj in (
        ("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "scraper"}}),
        (BINDINGS, binding),
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
