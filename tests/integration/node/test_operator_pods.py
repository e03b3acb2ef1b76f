"""The operator as pods behind its Service: an update of it, while pods are made and services read, loses no call."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from e2e.image import BuiltImage
from e2e.node_run import workloads
from e2e.plane import Plane
from e2e.plane.node import RealNode
from e2e.run.install import SYSTEM_NAMESPACE, install, kubectl
from tests.integration.node.workloads import Object

pytestmark = [
    pytest.mark.plane,
    pytest.mark.needs_kubelet,
    pytest.mark.needs_debian,
    pytest.mark.timeout(600),
    pytest.mark.node_e2e,
]

PODS = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases/aim-gpu-operator"
PAUSE_SECONDS = 0.01
UPDATE_SECONDS = 240


@pytest.fixture(scope="module")
def operator_plane(our_image: BuiltImage, node_plane: Plane, real_node: RealNode) -> Iterator[Plane]:
    """The plane with a real node and the operator's pods on it, which are gone at the end."""
    real_node.import_images(our_image.archive)
    install(node_plane)
    workloads.start_operator(node_plane)
    yield node_plane
    for obj in workloads.operator():
        node_plane.admin.delete(f"{node_plane.admin.path_of(obj)}")
    node_plane.wait_until(lambda: operator_pods(node_plane) == [], "the operator's pods are gone", UPDATE_SECONDS)


def operator_pods(plane: Plane) -> list[str]:
    return sorted(
        pod["metadata"]["name"]
        for pod in plane.admin.get(PODS)["items"]
        if pod["metadata"].get("labels", {}).get("app.kubernetes.io/name") == "aim-gpu-operator"
    )


def leader(plane: Plane) -> str:
    lease = plane.admin.find(LEASE) or {"spec": {}}
    holder: str = lease["spec"].get("holderIdentity") or ""
    return holder.rpartition("_")[0]


@dataclass
class Load:
    """The same call again and again in a thread. `judge` gives what is wrong with an answer, "" when nothing is."""

    plane: Plane
    method: str
    path: str
    body: Object | None
    judge: Callable[[int, Object], str]
    calls: int = 0
    slowest_seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(PAUSE_SECONDS):
            began = time.monotonic()
            try:
                status, content = self.plane.admin.raw(self.method, self.path, self.body)
                problem = self.judge(status, json.loads(content))
            except (OSError, ValueError, http.client.HTTPException) as error:
                problem = repr(error)
            self.calls += 1
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
            self.wrong += [problem] if problem else []


def gated(status: int, pod: Object) -> str:
    if status != http.client.CREATED:
        return f"{status}: {pod.get('message')}"
    gates = [gate["name"] for gate in pod["spec"].get("schedulingGates", ())]
    return "" if gates == ["aim.amd.com/partition"] else f"admitted with the gates {gates}"


def converted(status: int, obj: Object) -> str:
    if status != http.client.OK:
        return f"{status}: {obj.get('message')}"
    return "" if obj["spec"].get("modelId") else f"not in the flat version: {obj['spec']}"


def test_an_update_under_load_refuses_no_pod_and_admits_none_without_its_gate(
    operator_plane: Plane, node_namespace: str
) -> None:
    plane = operator_plane
    annotations = {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": "Qwen/Qwen3-8B"}
    pod = {
        "metadata": {"generateName": "model-", "annotations": annotations},
        "spec": {"containers": [{"name": "engine", "image": "localhost/busybox:1"}]},
    }
    service = {"apiVersion": "aim.amd.com/v1beta1", "kind": "InferenceService", "metadata": {"name": "read"}}
    services = f"namespaces/{node_namespace}/inferenceservices"
    plane.admin.create(f"/apis/aim.amd.com/v1beta1/{services}", {**service, "spec": {"model": {"id": "Qwen/Qwen3-8B"}}})
    before = operator_pods(plane)
    plane.wait_until(lambda: leader(plane) in before, "one of the pods leads")

    def updated() -> bool:
        names = operator_pods(plane)
        return workloads.rolled_out(plane.admin.get(workloads.OPERATOR)) and len(names) == 2

    with (
        Load(plane, "POST", f"/api/v1/namespaces/{node_namespace}/pods?dryRun=All", pod, gated) as pods,
        Load(plane, "GET", f"/apis/aim.amd.com/v1alpha1/{services}/read", None, converted) as reads,
    ):
        kubectl(plane, "rollout", "restart", "deployment/aim-gpu-operator", "-n", SYSTEM_NAMESPACE)
        plane.wait_until(updated, "both pods are new, and the old ones gone", UPDATE_SECONDS)

    for load in (pods, reads):
        print(f"{load.method} {load.calls} calls, slowest {load.slowest_seconds:.2f} s")
        assert load.wrong == []
        assert load.calls > 50
    after = operator_pods(plane)
    assert not set(before) & set(after)
    plane.wait_until(lambda: leader(plane) in after, "one of the new pods leads")
    workloads.check(plane)
