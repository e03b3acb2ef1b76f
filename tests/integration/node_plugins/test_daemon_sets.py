"""A change of modes on a node with AMD's three DaemonSets: the exporter goes and comes back, the plugins start anew."""

from datetime import UTC, datetime

import pytest

from e2e.plane import Plane
from tests.integration.node_plugins.conftest import (
    NODE,
    OTHER,
    Object,
    daemon_set,
    node_plugins,
    pods_of,
    ready,
    until_none,
)

pytestmark = pytest.mark.plane

PLUGIN, DRIVER, EXPORTER = "plugin", "driver", "exporter"
NODE_PATH = f"/api/v1/nodes/{NODE}"


def installed(plane: Plane, namespace: str) -> dict[tuple[str, str], str]:
    """AMD's pods, Ready on both nodes: uid by DaemonSet and node."""
    sets = f"/apis/apps/v1/namespaces/{namespace}/daemonsets"
    plane.admin.create(sets, daemon_set(PLUGIN, {"name": "amdgpu-dp-ds"}, "rocm/k8s-device-plugin"))
    driver = {"app.kubernetes.io/component": "kubeletplugin", "app.kubernetes.io/name": "k8s-gpu-dra-driver"}
    plane.admin.create(sets, daemon_set(DRIVER, driver, "registry.local:5000/rocm/k8s-gpu-dra-driver:v1"))
    plane.admin.create(sets, daemon_set(EXPORTER, {"app": "metrics"}, "docker.io/rocm/device-metrics-exporter:v1.5.2"))
    names = [(name, node) for name in (PLUGIN, DRIVER, EXPORTER) for node in (NODE, OTHER)]
    plane.wait_until(lambda: all(ready(pods_of(plane, namespace, *one)) for one in names), "AMD's pods are Ready", 60)
    return {one: uid(pods_of(plane, namespace, *one)) for one in names}


def uid(pods: list[Object]) -> str:
    (pod,) = pods
    return str(pod["metadata"]["uid"])


def held_off(plane: Plane, namespace: str) -> bool:
    """Whether the DaemonSet controller was refused an exporter for the node."""
    events = plane.admin.get(f"/api/v1/namespaces/{namespace}/events")["items"]
    told = [event["message"] for event in events if event["reason"] == "FailedCreate"]
    return any("aim-gpu-exporter-pause" in text and f"node {NODE} are being changed" in text for text in told)


async def test_exporter_is_away_during_a_change_and_plugins_start_anew_after_it(
    amd_nodes: Plane, namespace: str
) -> None:
    plane = amd_nodes
    before = installed(plane, namespace)
    async with node_plugins(plane) as plugins:
        told = await until_none(lambda: plugins.pause(NODE))
        assert f"metrics exporter {namespace}/{EXPORTER}-" in told[0]
        assert not pods_of(plane, namespace, EXPORTER)

        since = datetime.now(UTC)
        await until_none(lambda: plugins.restart(NODE, since))
        for name in (PLUGIN, DRIVER):
            now = pods_of(plane, namespace, name)
            assert ready(now)
            assert uid(now) != before[name, NODE]
        plane.wait_until(lambda: held_off(plane, namespace), "the exporter's DaemonSet has tried in vain", 60)
        assert not pods_of(plane, namespace, EXPORTER)
        assert plane.admin.get(NODE_PATH)["spec"].get("taints") is None

        await plugins.resume(NODE)
        plane.wait_until(lambda: ready(pods_of(plane, namespace, EXPORTER)), "the exporter is back", 60)
        assert "aim.amd.com/metrics-exporter" not in plane.admin.get(NODE_PATH)["metadata"]["labels"]
    assert {one: uid(pods_of(plane, namespace, *one)) for one in before if one[1] == OTHER} == {
        one: pod for one, pod in before.items() if one[1] == OTHER
    }
