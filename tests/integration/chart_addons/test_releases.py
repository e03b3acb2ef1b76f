"""The chart by Helm itself on an API server of its own: installed, upgraded, uninstalled, and installed again."""

import base64
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from e2e.chart import NAMESPACE, Helm
from e2e.plane import Plane

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180)]

RELEASE = "models"
LIMIT_SECONDS = 120
VALUES = {"gateway": {"enabled": True}, "exporter": {"enabled": True}}
_PEERS = "/api/v1/namespaces/aim-gpu-gateway/secrets/aim-gpu-gateway-peers"
_GATE = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/aim-gpu-pod-gate"
_CONVERTED = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/inferenceservices.aim.amd.com"
_WORKLOADS = {
    "operator": f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/aim-gpu-operator",
    "agent": f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/aim-gpu-agent",
    "gateway": "/apis/apps/v1/namespaces/aim-gpu-gateway/deployments/aim-gpu-gateway",
    "exporter": "/apis/apps/v1/namespaces/aim-gpu-exporter/deployments/aim-gpu-exporter",
}


@dataclass
class Cluster:
    """A plane without nodes, and Helm as its administrator."""

    plane: Plane
    helm: Helm

    def run(self, verb: str, *options: str, values: dict[str, Any] | None = None) -> str:
        """What Helm says; fails with its error."""
        chart = [] if verb == "uninstall" else [str(self.helm.chart), "--values", "-"]
        done = subprocess.run(
            [
                *(str(self.helm.binary), verb, RELEASE, *chart, *options),
                *("--namespace", NAMESPACE, "--kubeconfig", str(self.plane.kubeconfig)),
            ],
            input=json.dumps(values or {}),
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def generations(self) -> dict[str, int]:
        """Of each workload: it counts changes of the spec, which make pods anew."""
        return {
            name: self.plane.admin.get(path)["metadata"]["generation"]
            for name, path in _WORKLOADS.items()
            if self.plane.admin.find(path) is not None
        }

    def uninstall(self) -> None:
        """Without the hooks, whose pods would need a node; waits until what goes is gone."""
        self.run("uninstall", "--no-hooks", "--wait")
        path = "/api/v1/namespaces/aim-gpu-exporter"
        self.plane.wait_until(lambda: self.plane.admin.find(path) is None, "the exporter's namespace is gone")


@pytest.fixture(scope="module")
def cluster(helm: Helm) -> Iterator[Cluster]:
    """Its own, since what the chart makes for the whole cluster is there for other tests already."""
    with Plane() as plane:
        plane.admin.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        yield Cluster(plane, helm)


def test_notes_tell_the_next_steps_and_what_is_missing(cluster: Cluster) -> None:
    told = cluster.run("install", "--dry-run=server", values=VALUES)
    notes = told[told.index("NOTES:") :]
    assert f"helm test {RELEASE} -n {NAMESPACE}\n" in notes
    assert "kubectl label node NODE aim.amd.com/managed=true" in notes
    assert "kind: InferenceService" in notes
    assert "kubectl create secret tls aim-gpu-gateway-tls -n aim-gpu-gateway" in notes
    assert "WARNING" not in notes


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ({"guards": {"enabled": False}}, "guards.enabled is false"),
        ({"uninstall": {"releaseJob": False}}, "run `aim-gpu release --all` before an uninstall"),
    ],
)
def test_notes_warn_of_what_was_switched_off(cluster: Cluster, values: dict[str, Any], want: str) -> None:
    told = cluster.run("install", "--dry-run=server", values=values)
    assert f"WARNING: {want}" in told.replace("WARNING: uninstall.releaseJob is false: ", "WARNING: ")


def test_an_upgrade_leaves_the_authorities_that_the_operator_wrote(cluster: Cluster) -> None:
    """Without them API servers would call no webhook until the operator has looked again, and refuse pods meanwhile."""
    admin = cluster.plane.admin
    cluster.run("install", values=VALUES)
    authority = base64.b64encode(cluster.plane.ca.read_bytes()).decode()
    admin.patch(_GATE, [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": authority}])
    conversion = {"spec": {"conversion": {"webhook": {"clientConfig": {"caBundle": authority}}}}}
    admin.patch(_CONVERTED, conversion)
    cluster.run("upgrade", values=VALUES | {"webhook": {"timeoutSeconds": 7}, "commonLabels": {"team": "gpus"}})
    (gate,) = admin.get(_GATE)["webhooks"]
    assert (gate["timeoutSeconds"], gate["clientConfig"]["caBundle"]) == (7, authority)
    crd = admin.get(_CONVERTED)
    assert crd["metadata"]["labels"]["team"] == "gpus"
    assert crd["spec"]["conversion"]["webhook"]["clientConfig"]["caBundle"] == authority
    cluster.uninstall()


def test_a_release_lives_is_upgraded_goes_and_comes_again(cluster: Cluster) -> None:
    admin = cluster.plane.admin
    cluster.run("install", values=VALUES)
    assert cluster.generations() == dict.fromkeys(_WORKLOADS, 1)
    admin.patch(_PEERS, {"data": {"tls.key": "b3Vycw=="}})
    admin.create("/api/v1/namespaces/aim-gpu-gateway/secrets", {"metadata": {"name": "aim-gpu-gateway-keys"}})

    cluster.run("upgrade", values=VALUES | {"commonLabels": {}, "networkPolicy": {"enabled": False}})
    assert cluster.generations() == dict.fromkeys(_WORKLOADS, 1), "nothing of the pods changed, and none restarts"
    assert admin.get(_PEERS)["data"] == {"tls.key": "b3Vycw=="}, "what replicas keep there is theirs"

    cluster.uninstall()
    assert cluster.generations() == {}
    bindings = admin.get("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings")["items"]
    assert [one["metadata"]["name"] for one in bindings if one["metadata"]["name"].startswith("aim-gpu")] == []
    assert admin.find("/api/v1/namespaces/aim-gpu-gateway/secrets/aim-gpu-gateway-keys"), "keys are somebody's"
    crds = admin.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
    assert sum(one["spec"]["group"] == "aim.amd.com" for one in crds) == 6, "and so are services"

    cluster.run("install", values=VALUES)
    assert cluster.generations().keys() == _WORKLOADS.keys()
