"""A mode change as the operator runs it, on a node where AMD's device plugin and metrics exporter run, too."""

from pathlib import Path
from typing import Any

import pytest

from e2e.plane import Plane
from tests.integration.node_plugins.conftest import Object, daemon_set, pods_of, ready
from tests.integration.operator.running import AIM, Running, opt_in, pod, running

pytestmark = pytest.mark.plane

PLUGIN, EXPORTER = "plugin", "exporter"
MANAGED = {"aim.amd.com/managed": "true"}
SCHEME = "feature.node.kubernetes.io/aim-accelerator.partitioning-scheme."
POLICY: Object = {
    "apiVersion": "aim.amd.com/v1beta1",
    "kind": "GPUSharingPolicy",
    "metadata": {"name": "all"},
    "spec": {"validatedOnly": False, "repartition": {"enabled": True, "approval": "Auto"}},
}


async def test_plugin_starts_anew_exporter_steps_aside_and_labels_follow(
    installed_plane: Plane, tmp_path: Path
) -> None:
    plane = installed_plane
    async with running(plane, tmp_path, {"a": "DPX/NPS1"}, gpus=1) as cluster:
        before = await _installed(plane, cluster)
        await _labelled(cluster, "DPX", partitions=2)
        await cluster.rule(POLICY)
        await cluster.create(cluster.pods_path, pod("wants", opt_in(partition_mode="QPX/NPS1")))
        await cluster.all_allocated(1)
        await _labelled(cluster, "QPX", partitions=4)

        plugin, exporter = (pods_of(plane, cluster.namespace, name, cluster.names["a"]) for name in (PLUGIN, EXPORTER))
        assert ready(plugin)
        assert _uid(plugin) not in before
        assert not {pod["metadata"]["uid"] for pod in exporter} & set(before)

        async def let_back() -> bool:
            return "aim.amd.com/metrics-exporter" not in await _labels(cluster)

        await cluster.eventually("nothing keeps the exporter away", let_back)

        async def counted() -> bool:
            status = (await cluster.get(f"{AIM}/gpusharingpolicies/all")).get("status", {})
            return bool(status.get("nodes") == 1 and status.get("claims") == 1)

        await cluster.eventually("the policy tells what it governs", counted)
        for name in (PLUGIN, EXPORTER):  # else they make their pods anew while the namespace is emptied
            await cluster.delete(f"{_sets(cluster)}/{name}")


async def _installed(plane: Plane, cluster: Running) -> list[str]:
    """AMD's pods, Ready on the node; their uids."""
    images = {PLUGIN: "rocm/k8s-device-plugin", EXPORTER: "rocm/device-metrics-exporter:v1.5.2"}
    for name, image in images.items():
        await cluster.create(_sets(cluster), daemon_set(name, {"run": name}, image, nodeSelector=MANAGED))

    async def run() -> bool:
        return all(ready(pods_of(plane, cluster.namespace, name, cluster.names["a"])) for name in images)

    await cluster.eventually("AMD's pods are Ready", run, 60.0)
    return [_uid(pods_of(plane, cluster.namespace, name, cluster.names["a"])) for name in images]


def _sets(cluster: Running) -> str:
    return f"/apis/apps/v1/namespaces/{cluster.namespace}/daemonsets"


def _uid(pods: list[Object]) -> str:
    (found,) = pods
    return str(found["metadata"]["uid"])


async def _labels(cluster: Running) -> dict[str, Any]:
    node = await cluster.get(f"/api/v1/nodes/{cluster.names['a']}")
    return dict(node["metadata"]["labels"])


async def _labelled(cluster: Running, compute: str, partitions: int) -> None:
    """The Node says the mode in all three spellings, and no other one."""
    wanted = {
        "aim.amd.com/gpu.mode": f"{compute}-NPS1",
        "aim.amd.com/gpu.product": "MI300X",
        "aim.amd.com/gpu.partitions": str(partitions),
        f"{SCHEME}{compute}-NPS1": str(partitions),
        "amd.com/gpu.compute-memory-partition": f"{compute.lower()}_nps1",
    }

    async def right() -> bool:
        labels = await _labels(cluster)
        schemes = [key for key in labels if key.startswith(SCHEME)]
        return wanted.items() <= labels.items() and len(schemes) == 1

    await cluster.eventually(f"labels tell {compute}", right)
