"""Pods that AMD's device plugin serves, end to end: kube-scheduler counts, the kubelet chooses, its word is read back."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from controller.binding.device_plugin import Naming
from e2e.plane import Plane
from tests.integration.device_plugin.plugin_node import PluginNode, plugin_node, policy
from tests.integration.operator.recording_proxy import recording_proxy
from tests.integration.operator.running import AIM, Object, Running, deployment, opt_in, pod, running

pytestmark = pytest.mark.plane

BIG = {"model": "Qwen/Qwen3-32B", "precision": "fp8", "max_concurrency": "2"}  # between a CPX and a QPX partition
#: How long a condition may take on a machine that is busy with other things, seconds.
LIMIT = 60.0
POLICIES = f"{AIM}/gpusharingpolicies"


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder for the kubelets' sockets: a socket's path may have 107 characters only."""
    with tempfile.TemporaryDirectory(prefix="kubelet-") as folder:
        yield Path(folder)


def asking(sockets: Path) -> tuple[str, str]:
    """The agent's option that says where its kubelet is."""
    return "--pod-resources-socket", f"{sockets}/{{node}}.sock"


def limits(one: Object) -> dict[str, str]:
    found: dict[str, str] = one["spec"]["containers"][0]["resources"].get("limits", {})
    return found


async def observed(cluster: Running) -> dict[str, tuple[str, int]]:
    """By pod, the partition that its claim shows."""
    return {
        claim["spec"]["podRef"]["name"]: (device["bdf"], device["partition"])
        for claim in await cluster.claims()
        for device in claim.get("status", {}).get("observed", {}).get("devices", ())
    }


async def test_single_naming_without_resource_claims_until_the_kubelet_contradicts(
    plane: Plane, tmp_path: Path, sockets: Path
) -> None:
    """No policy is needed: where resource.k8s.io is not served, the device plugin hands GPUs out."""
    async with recording_proxy(plane) as before:
        before.hold = without_resource_claims
        agent = ("--server", before.url, *asking(sockets))
        nodes = {"a": "QPX/NPS1"}
        async with (
            running(plane, tmp_path, nodes, gpus=1, server=before.url, agent_arguments=agent, slices=False) as cluster,
            plugin_node(cluster, "a", Naming.SINGLE, sockets) as plugin,
        ):
            foreign = pod("foreign", {}, nodeSelector={"kubernetes.io/hostname": plugin.node})
            foreign["spec"]["containers"][0]["resources"]["limits"] = {"amd.com/gpu": "1"}
            await cluster.create(cluster.pods_path, foreign)
            await cluster.eventually("the foreign pod has its device", lambda: _given(plugin, "foreign"), LIMIT)

            await cluster.create(cluster.deployments_path, deployment("chat", 4, opt_in()))
            claims = await cluster.all_allocated(3, LIMIT)
            waiting = await cluster.claim_where(LIMIT, reason="NoFreePartition")
            assert "PartitionHeld" in waiting["status"]["explanation"]
            await _assert_served(cluster, plugin, claims)
            await _contradicted(cluster, plugin)


async def _given(plugin: PluginNode, name: str) -> str | None:
    return plugin.given.get(name)


async def _assert_served(cluster: Running, plugin: PluginNode, claims: list[Object]) -> None:
    """Each pod was placed by the real scheduler, and its claim shows the device that the kubelet gave it."""
    pods = {one["metadata"]["name"]: one for one in await cluster.pods()}
    names = list(await plugin.devices())
    for claim in claims:
        one, status = pods[claim["spec"]["podRef"]["name"]], claim["status"]
        assert (limits(one), one["spec"]["nodeName"]) == ({"amd.com/gpu": "1"}, plugin.node)
        assert "resourceClaims" not in one["spec"]
        assert (status["allocation"]["binding"], status["allocation"]["resource"]["mode"]) == (
            "DevicePlugin",
            "QPX/NPS1",
        )
        (device,) = status["allocation"]["devices"]
        assert names.index(plugin.given[one["metadata"]["name"]]) == device["partition"]
        assert status["observed"]["devices"] == [device]
    assert len(set(plugin.given.values())) == 4
    assert await cluster.resource_claims() == []


async def _contradicted(cluster: Running, plugin: PluginNode) -> None:
    """The kubelet says of one pod that it has the device of another: a condition with a remedy, until it is right."""
    ours = sorted(name for name in plugin.given if name.startswith("chat-"))
    before = dict(plugin.given)
    await plugin.force(ours[1], before[ours[0]])

    async def condition() -> Object | None:
        for claim in await cluster.claims():
            for found in claim.get("status", {}).get("conditions", ()):
                if claim["spec"]["podRef"]["name"] == ours[1] and found["type"] == "ObservedMismatch":
                    return dict(found)
        return None

    found = await cluster.eventually("the claim says what contradicts it", condition, LIMIT)
    assert (found["status"], found["reason"]) == ("True", "HeldByAnother")
    assert "delete the pod" in found["message"]
    assert ours[0] not in found["message"]
    await plugin.force(ours[1], before[ours[1]])

    async def gone() -> bool:
        return await condition() is None

    await cluster.eventually("the condition goes when the kubelet tells otherwise", gone, LIMIT)


async def test_mixed_naming_and_a_mode_change_that_the_plugin_advertises(
    plane: Plane, tmp_path: Path, sockets: Path
) -> None:
    plane.admin.create(POLICIES, policy(repartition={"enabled": True, "approval": "Auto", "cooldown": "1s"}))
    async with (
        running(plane, tmp_path, {"a": "CPX/NPS1"}, gpus=1, agent_arguments=asking(sockets)) as cluster,
        plugin_node(cluster, "a", Naming.MIXED, sockets) as plugin,
    ):
        await cluster.eventually(
            "the operator knows the plugin's names", lambda: _asks(cluster, "amd.com/cpx_nps1"), LIMIT
        )
        await cluster.create(cluster.pods_path, pod("small", opt_in()))
        (small,) = await cluster.all_allocated(1, LIMIT)
        assert limits((await cluster.pods())[0]) == {"amd.com/cpx_nps1": "1"}
        assert small["spec"]["requirement"]["modes"] == ["CPX/NPS1"]
        await cluster.delete(f"{cluster.pods_path}/small")

        await cluster.create(cluster.pods_path, pod("big", opt_in(**BIG)))
        assert limits(await cluster.get(f"{cluster.pods_path}/big")) == {"amd.com/qpx_nps1": "1"}
        await _in_mode(cluster, plugin, "QPX/NPS1")
        phases = {claim["spec"]["podRef"]["name"]: claim["status"]["phase"] for claim in await cluster.claims()}
        assert phases["big"] == "Pending", "nothing advertises the new name yet"
        assert await plugin.advertise() == {"amd.com/qpx_nps1": 4}
        (big,) = await cluster.all_allocated(1, LIMIT)
        assert big["spec"]["podRef"]["name"] == "big"
        assert big["status"]["allocation"]["devices"][0]["mode"] == "QPX/NPS1"
        assert (await observed(cluster))["big"][1] == 3


async def _asks(cluster: Running, resource: str) -> bool:
    """Whether a pod would be made to ask for that resource: what the node has is read a moment after it was written."""
    return resource in limits(await cluster.create(f"{cluster.pods_path}?dryRun=All", pod("small", opt_in())))


def without_resource_claims(_: str, path: str) -> None:
    """An API server of before Kubernetes 1.34: it knows nothing of this group. (The one here cannot do without.)"""
    if path.startswith("/apis/resource.k8s.io"):
        answer = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
        raise web.HTTPNotFound(text=json.dumps(answer), content_type="application/json")


async def _in_mode(cluster: Running, plugin: PluginNode, mode: str) -> None:
    async def changed() -> bool:
        found = await cluster.get(f"{AIM}/gpunodes/{plugin.node}")
        return bool([gpu["mode"] for gpu in found["status"]["gpus"]] == [mode])

    await cluster.eventually(f"the GPU is in {mode}", changed, LIMIT)
