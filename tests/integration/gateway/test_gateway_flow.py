"""The gateway on a real API server: real Services and EndpointSlices, the operator's claims, callers' keys and tokens."""

import asyncio
import signal
from functools import partial
from pathlib import Path

import aiohttp
import psutil
import pytest

from api.group import ENGINE_LABEL
from e2e.plane import Plane, service_account_token
from tests.integration.gateway.world import World, a_world
from tests.integration.operator.running import SMALL, deployment, opt_in

pytestmark = pytest.mark.plane


@pytest.mark.timeout(240)
async def test_a_service_is_reached_by_its_names_and_grows_and_shrinks(plane: Plane, tmp_path: Path) -> None:
    async with a_world(plane, tmp_path) as world:
        (uid,) = await world.serve(replicas=1)
        key = await world.key()
        assert (await world.answered(key)).engine == uid
        for name in (SMALL, f"{world.namespace}/chat"):
            assert (await world.ask(key, name)).engine == uid
        # our pods are no catalogue's image, so their engines are told no priority; the client's own never arrives
        await world.ask(key, priority=-99)
        assert "priority" not in world.engines.asked[uid][-1]

        await world.cluster.patch(f"{world.cluster.services_path}/chat", {"spec": {"replicas": 3}})
        uids = await world.ready("chat", 3)
        assert await world.engines_answering(key, 3) == set(uids)
        await world.cluster.patch(f"{world.cluster.services_path}/chat", {"spec": {"replicas": 1}})
        (left,) = await world.ready("chat", 1)
        assert await world.engines_answering(key, 1) == {left}
        await world.cluster.delete(f"{world.cluster.services_path}/chat")
        assert (await world.answered(key, status=404)).reason == "ModelNotFound"


@pytest.mark.timeout(240)
async def test_annotated_pods_are_reached_by_the_name_of_their_service(plane: Plane, tmp_path: Path) -> None:
    async with a_world(plane, tmp_path) as world:
        cluster = world.cluster
        await cluster.create(cluster.deployments_path, deployment("own", 1, opt_in(qos_class="realtime")))
        port = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8000}
        made = {"metadata": {"name": "front"}, "spec": {"selector": {"app": "own"}, "ports": [port]}}
        await cluster.create(f"/api/v1/namespaces/{world.namespace}/services", made)
        (uid,) = await world.ready("front", 1)
        engines = await cluster.items(f"/api/v1/namespaces/{world.namespace}/pods?labelSelector={ENGINE_LABEL}%3Dtrue")
        assert [pod["metadata"]["uid"] for pod in engines] == [uid]
        key = await world.key()
        assert (await world.answered(key, "front")).engine == uid
        assert (await world.ask(key, SMALL)).engine == uid
        metrics = await cluster.metrics(world.gateway)
        asked = f'aim_model_requests_total{{namespace="{world.namespace}",service="front",model="'
        assert [
            line for line in metrics.splitlines() if line.startswith(asked) and 'priority="realtime",code="200"' in line
        ]


@pytest.mark.timeout(240)
async def test_reloads_lose_no_request(plane: Plane, tmp_path: Path) -> None:
    async with a_world(plane, tmp_path) as world:
        await world.serve(replicas=2)
        key = await world.key()
        await world.answered(key)
        world.engines.hold = 0.02
        path = f"{world.cluster.services_path}/chat"
        stop, statuses = asyncio.Event(), []

        async def ask() -> None:
            async with aiohttp.ClientSession() as client:
                while not stop.is_set():
                    statuses.append((await world.ask(key, client=client)).status)

        async def under_load(wanted: int) -> bool:
            return len(statuses) >= wanted

        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(ask())
            for number in range(20):
                # a new maximum each time, and in between another service: each is a reload
                await world.cluster.patch(path, {"spec": {"qos": {"guarantees": {"maxConcurrency": 8 + number}}}})
                await asyncio.sleep(0.15)
                some = partial(under_load, 6 * (number + 1))
                await world.cluster.eventually("some were answered, however slow the machine", some)
            stop.set()
        metrics = await world.cluster.metrics(world.gateway)
        reloads = next(
            float(line.split()[-1])
            for line in metrics.splitlines()
            if line.startswith('aim_gateway_reloads_total{result="taken"}')
        )
        assert reloads >= 10
        assert len(statuses) > 100
        assert set(statuses) == {200}


@pytest.mark.timeout(240)
async def test_keys_rotate_without_a_restart(plane: Plane, tmp_path: Path) -> None:
    async with a_world(plane, tmp_path) as world:
        await world.serve()
        old = await world.key("old")
        await world.answered(old)
        new = await world.key("new", old=old)  # both hold while clients change over
        await world.answered(new)
        assert (await world.ask(old)).status == 200
        await world.put_keys({"new": new})
        assert (await world.answered(old, status=401)).reason == "UnknownKey"
        assert (await world.ask(new)).status == 200
        assert (await world.ask(None)).reason == "NoKey"


async def token_of(world: World, namespace: str) -> str:
    """A token of the namespace's default ServiceAccount, for the gateway."""
    return await asyncio.to_thread(
        service_account_token, world.cluster.plane, namespace, "default", audience="aim-gpu-gateway"
    )


@pytest.mark.timeout(240)
async def test_a_service_account_calls_by_a_token_for_our_audience_alone(plane: Plane, tmp_path: Path) -> None:
    async with a_world(plane, tmp_path) as world:
        await world.serve()
        ours = await token_of(world, world.namespace)
        apis = await asyncio.to_thread(service_account_token, plane, world.namespace, "default")
        assert (await world.answered(ours)).status == 200
        assert (await world.ask(apis)).reason == "UnknownKey"
        # another namespace's account is another tenant, who may call nothing here
        stranger = await token_of(world, "default")
        assert (await world.ask(stranger, f"{world.namespace}/chat")).reason == "ModelNotFound"


@pytest.mark.timeout(240)
async def test_a_policys_terms_reach_callers(plane: Plane, tmp_path: Path) -> None:
    async with a_world(plane, tmp_path) as world:
        await world.serve()
        stranger = await token_of(world, "default")
        model = f"{world.namespace}/chat"
        assert (await world.answered(stranger, model, status=404)).reason == "ModelNotFound"
        terms = {"namespace": "default", "namespaces": [world.namespace], "maxRate": 1}
        kind = {"apiVersion": "aim.amd.com/v1beta1", "kind": "GPUSharingPolicy"}
        await world.cluster.rule(kind | {"metadata": {"name": "gateway-terms"}, "spec": {"callers": [terms]}})
        assert (await world.answered(stranger, model)).status == 200
        assert (await world.answered(stranger, model, status=429)).reason == "RateLimited"


@pytest.mark.timeout(240)
async def test_what_is_under_way_at_the_end_is_answered(plane: Plane, tmp_path: Path) -> None:
    async with a_world(plane, tmp_path, arguments=("--drain-seconds", "10")) as world:
        await world.serve()
        key = await world.key()
        await world.answered(key)
        world.engines.hold = 2.0
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(world.ask(key))
            await asyncio.sleep(0.5)
            code = tasks.create_task(world.gateway.kill(signal.SIGTERM))
        assert asking.result().status == 200
        assert code.result() == 0


async def requests(world: World) -> int:
    """Requests in status.requestCounts, over all shards and the last minutes."""
    found = await world.cluster.get(f"{world.cluster.services_path}/chat")
    entries = found.get("status", {}).get("requestCounts") or []
    counts = [objective["counts"] for entry in entries for objective in entry["objectives"]]
    minutes = [part.partition("=")[2] for text in counts for part in text.split(";") if part.startswith("60@")]
    return sum(int(span.partition("-")[0]) for text in minutes for span in text.split(",") if span)


@pytest.mark.timeout(240)
async def test_counts_of_objectives_go_on_after_a_restart(plane: Plane, tmp_path: Path) -> None:
    async with a_world(plane, tmp_path) as world:
        objective = {"metric": "requestLatency", "threshold": "5s"}
        await world.serve(qos={"slo": [objective]})
        key = await world.key()
        await world.answered(key)
        for _ in range(4):
            await world.ask(key)
        assert await world.gateway.kill(signal.SIGTERM) == 0
        first = await requests(world)
        assert first >= 5
        await world.gateway.start()
        await world.answered(key)
        assert await world.gateway.kill(signal.SIGTERM) == 0
        assert await requests(world) > first
        stored = await world.cluster.get(f"{world.cluster.services_path}/chat")
        assert stored["status"]["placements"]  # the operator's part is as it was
        await world.gateway.start()


@pytest.mark.timeout(240)
async def test_a_member_is_drained_before_it_goes(plane: Plane, tmp_path: Path) -> None:
    """A pod that is deleted with a grace gets nothing new, and answers what it has."""
    async with a_world(plane, tmp_path) as world:
        uids = await world.serve(replicas=2)
        key = await world.key()
        await world.engines_answering(key, 2)
        pods = {pod["metadata"]["uid"]: pod["metadata"]["name"] for pod in await world.cluster.pods()}
        world.engines.hold = 1.5
        async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as tasks:
            asking = [tasks.create_task(world.ask(key, client=client)) for _ in range(4)]
            await asyncio.sleep(0.3)
            await world.cluster.delete(f"{world.cluster.pods_path}/{pods[uids[0]]}")
        assert {answer.result().status for answer in asking} == {200}


SMALL_BODY = 64


@pytest.mark.timeout(240)
async def test_limits_of_the_command_line_hold(plane: Plane, tmp_path: Path) -> None:
    async with a_world(plane, tmp_path, arguments=("--max-body-bytes", str(SMALL_BODY))) as world:
        await world.serve()
        key = await world.key()
        assert (await world.answered(key, status=413)).status == 413
        # and what it holds while it serves little
        held = psutil.Process(world.gateway.pid).memory_info().rss
        assert held < 70_000_000, f"{held / 1e6:.0f} MB"
