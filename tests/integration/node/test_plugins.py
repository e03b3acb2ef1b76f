"""What a real kubelet and a real container runtime make of the agent as a DRA driver."""

from collections.abc import Iterator

import pytest

from controller.binding.dra import Pin, PinnedDevice, claim_spec
from e2e.plane import Plane
from e2e.plane.node import RealNode
from e2e.run.install import install
from tests.integration.node.agent import DRA, TELLS, NodeAgent, environment, gone, node_agent, run
from tests.integration.node.workloads import Object, container, pod

pytestmark = [pytest.mark.plane, pytest.mark.needs_kubelet, pytest.mark.node_e2e]

FIRST_GPU, SECOND_GPU = "0000:05:00.0", "0000:27:00.0"
DEVICES = sorted(f"gpu-{number}-{128 + number}" for number in range(16))


@pytest.fixture(scope="module")
def dra(node_plane: Plane, real_node: RealNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeAgent]:
    install(node_plane)
    folder = tmp_path_factory.mktemp("dra")
    with node_agent(node_plane, real_node, folder, "CPX/NPS4", "--kubelet-plugin", "dra") as agent:
        agent.eventually(lambda: agent.offered() == DEVICES, "its devices are offered")
        yield agent


def claim(plane: Plane, namespace: str, name: str, device: int) -> str:
    """A claim of the partition with that number, as the operator would write it; gives its path."""
    pin = Pin("real-1", "real-1", (PinnedDevice(f"gpu-{device}-{128 + device}", 128 + device),), "cpx_nps4")
    obj = {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": {"name": name}}
    plane.admin.create(f"{DRA}/namespaces/{namespace}/resourceclaims", {**obj, "spec": claim_spec(pin)})
    return f"{DRA}/namespaces/{namespace}/resourceclaims/{name}"


def claiming(name: str, claim: str, script: str = TELLS) -> Object:
    """A pod that uses the claim, for the scheduler to place: it allocates."""
    asks = container(script, resources={"claims": [{"name": "gpu"}]})
    obj = pod(name, asks, resourceClaims=[{"name": "gpu", "resourceClaimName": claim}])
    del obj["spec"]["nodeName"]
    return obj


def test_a_container_sees_its_partition_and_the_kubelet_tells_the_same(dra: NodeAgent, node_namespace: str) -> None:
    held = claim(dra.plane, node_namespace, "one", 11)
    path = run(dra, node_namespace, claiming("llm", "one"))
    told = environment(dra, path)
    assert told["AIM_GPU_DEVICES"] == told["AIM_GPU_DEVICE_139"] == f"{SECOND_GPU}/3 CPX/NPS4"
    assert (told["AMD_VISIBLE_DEVICES"], told["ROCR_VISIBLE_DEVICES"]) == ("11", "0")
    (result,) = dra.plane.admin.get(held)["status"]["allocation"]["devices"]["results"]
    assert result["device"] == "gpu-11-139"
    dra.eventually(lambda: dra.assigned(node_namespace) == {"llm": (SECOND_GPU, 3)}, "the agent reads the same")


def test_a_shared_claim_is_prepared_once_and_taken_back_after_the_last_pod(dra: NodeAgent, node_namespace: str) -> None:
    uid = dra.plane.admin.get(claim(dra.plane, node_namespace, "shared", 2))["metadata"]["uid"]
    first = run(dra, node_namespace, claiming("first", "shared"))
    file = dra.node.on_host(f"/var/run/cdi/k8s.gpu.amd.com-gpu_{uid}.json")
    before = file.stat()
    second = run(dra, node_namespace, claiming("second", "shared"))
    assert environment(dra, first) == environment(dra, second)
    dra.plane.admin.delete(first)
    gone(dra, first)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    dra.plane.admin.delete(second)
    gone(dra, second)
    dra.eventually(lambda: not file.exists(), "the claim is taken back")


def test_after_a_restart_of_the_kubelet_the_slices_come_back_and_containers_live_on(
    dra: NodeAgent, node_namespace: str
) -> None:
    claim(dra.plane, node_namespace, "kept", 3)
    path = run(dra, node_namespace, claiming("steady", "kept"))
    before = dra.plane.admin.get(path)["status"]["containerStatuses"][0]
    names = {obj["metadata"]["uid"] for obj in dra.plane.admin.get(f"{DRA}/resourceslices")["items"]}
    dra.plane.restart(dra.node.kubelet)

    def made_anew() -> bool:
        found = dra.plane.admin.get(f"{DRA}/resourceslices")["items"]
        return names.isdisjoint(obj["metadata"]["uid"] for obj in found) and dra.offered() == DEVICES

    dra.eventually(made_anew, "the slices, which the kubelet deleted, are back")
    claim(dra.plane, node_namespace, "later", 4)
    later = run(dra, node_namespace, claiming("later", "later"))
    assert environment(dra, later)["AIM_GPU_DEVICES"] == f"{FIRST_GPU}/4 CPX/NPS4"
    after = dra.plane.admin.get(path)["status"]["containerStatuses"][0]
    assert (after["containerID"], after["restartCount"]) == (before["containerID"], 0)


def test_a_pod_that_ends_while_the_plugin_is_away_is_let_go_once_it_is_back(
    dra: NodeAgent, node_namespace: str
) -> None:
    uid = dra.plane.admin.get(claim(dra.plane, node_namespace, "left", 5))["metadata"]["uid"]
    path = run(dra, node_namespace, claiming("leaving", "left"))
    dra.kill()
    dra.plane.admin.delete(path)
    dra.eventually(lambda: _stopped(dra.plane, path), "its container has ended, and the pod waits for the driver")
    assert f"k8s.gpu.amd.com-gpu_{uid}.json" in dra.cdi_files()
    dra.start()
    gone(dra, path)
    assert f"k8s.gpu.amd.com-gpu_{uid}.json" not in dra.cdi_files()
    dra.eventually(lambda: dra.offered() == DEVICES, "its devices are offered")


def _stopped(plane: Plane, path: str) -> bool:
    found = plane.admin.get(path)
    statuses = found["status"].get("containerStatuses") or ()
    return bool(statuses) and all("terminated" in one["state"] for one in statuses)
