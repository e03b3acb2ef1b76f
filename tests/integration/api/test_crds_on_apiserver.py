"""The definitions on a real API server: accepted, explained, and refusing what they should.

Schema and CEL rules are judged by the server itself, through the kubectl of the environment.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Protocol

import pytest

from api.openapi import crd

pytestmark = pytest.mark.plane

KUBECTL = Path(sys.executable).with_name("kubectl")
STORED = ("fixed", "scaled", "shown")
BDFS = ("0000:05:00.0", "0000:26:00.0")


class HasKubeconfig(Protocol):
    """What these tests need of the plane."""

    kubeconfig: Path


class Kubectl:
    """kubectl against one API server."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    def run(self, *arguments: str, document: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(KUBECTL), f"--kubeconfig={self._kubeconfig}", *arguments]
        return subprocess.run(command, input=document, capture_output=True, text=True, timeout=60, check=False)

    def output(self, *arguments: str, document: str | None = None) -> str:
        done = self.run(*arguments, document=document)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refusal(self, *arguments: str, document: str | None = None) -> str:
        done = self.run(*arguments, document=document)
        assert done.returncode != 0, f"accepted: {done.stdout}"
        return done.stderr


@pytest.fixture(scope="module")
def kubectl(plane: HasKubeconfig) -> Iterator[Kubectl]:
    client = Kubectl(plane.kubeconfig)
    definitions = crd.crds()
    document = "---\n".join(map(crd.to_yaml, definitions))
    client.output("apply", "--server-side", "--force-conflicts", "-f", "-", document=document)
    names = [f"crd/{definition['metadata']['name']}" for definition in definitions]
    client.output("wait", "--for=condition=Established", "--timeout=30s", *names)
    yield client
    # the plane is shared by the run: a claim or a plan left behind would be acted upon
    for resource in ("gpc", "aimisvc", "rpp"):
        client.run("delete", resource, "--ignore-not-found", "--wait=false", *STORED)


def layout(*modes: str) -> dict[str, Any]:
    return {"gpus": [{"bdf": bdf, "mode": mode} for bdf, mode in zip(BDFS, modes, strict=False)]}


SPECS: dict[str, dict[str, Any]] = {
    "InferenceService": {"model": {"id": "Qwen/Qwen3-8B"}},
    "GPUPartitionClaim": {"podRef": {"name": "chat-0", "uid": "u-1"}, "requirement": {"memory": "24Gi"}},
    "GPUNode": {},
    "RepartitionPlan": {
        "node": "n",
        "from": layout("SPX/NPS1", "SPX/NPS1"),
        "to": layout("CPX/NPS4", "CPX/NPS4"),
        "claimRef": {"namespace": "team-a", "name": "c", "uid": "u-1"},
    },
    "GPUSharingPolicy": {},
    "ModelProfile": {
        "modelId": "a/b",
        "architecture": {
            "totalParams": 1_000_000_000_000,
            "layers": 32,
            "hiddenSize": 4096,
            "attentionHeads": 32,
            "kvHeads": 8,
            "headDim": 128,
            "vocabSize": 32000,
            "maxPositionEmbeddings": 8192,
        },
    },
}


def document(kind: str, changes: dict[str, Any], name: str = "checked") -> str:
    """The smallest good object of a kind, with dotted paths of its spec set; None takes a field away."""
    spec = deepcopy(SPECS[kind])
    for path, value in changes.items():
        *parents, last = path.split(".")
        target = spec
        for parent in parents:
            target = target.setdefault(parent, {})
        if value is None:
            del target[last]
        else:
            target[last] = value
    return json.dumps({"apiVersion": "aim.amd.com/v1beta1", "kind": kind, "metadata": {"name": name}, "spec": spec})


@pytest.mark.parametrize("kind", SPECS)
def test_the_smallest_good_object_is_accepted(kubectl: Kubectl, kind: str) -> None:
    kubectl.output("create", "--dry-run=server", "--validate=strict", "-f", "-", document=document(kind, {}))


BAD = [
    pytest.param("InferenceService", {"model.precision": "fp12"}, ["precision", '"fp12"', '"fp8"'], id="precision"),
    pytest.param(
        "InferenceService",
        {"gpuSharing.partition.mode": "cpx_nps4"},
        ["mode", '"cpx_nps4"', "CPX"],
        id="another spelling",
    ),
    pytest.param(
        "InferenceService", {"gpuSharing.partition.mode": "CPX/NPS8"}, ["mode", '"CPX/NPS8"', "NPS4"], id="no such mode"
    ),
    pytest.param(
        "InferenceService",
        {"gpuSharing.partition.minMemory": "24GB"},
        ["minMemory", '"24GB"', "Gi"],
        id="GB is no unit",
    ),
    pytest.param(
        "InferenceService", {"gpuSharing.partition.minMemory": "0Gi"}, ["minMemory", '"0Gi"', "24Gi"], id="no memory"
    ),
    pytest.param(
        "InferenceService",
        {"gpuSharing.isolation": "cooperative"},
        ["isolation", "cooperative", "name the group"],
        id="cooperative without a group",
    ),
    pytest.param(
        "InferenceService", {"gpuSharing.shareGroup": "team"}, ["shareGroup", "team", "set isolation"], id="lone group"
    ),
    pytest.param(
        "InferenceService",
        {"qos.guarantees": {"minConcurrency": 9, "maxConcurrency": 3}},
        ["minConcurrency", "9", "3", "lower the one"],
        id="a minimum above the maximum",
    ),
    pytest.param("InferenceService", {"replicas": -1}, ["replicas", "-1", "greater than or equal to 0"], id="replicas"),
    pytest.param(
        "GPUPartitionClaim", {"podRef": None}, ["spec", "exactly one of podRef and shareGroup"], id="no holder"
    ),
    pytest.param("GPUPartitionClaim", {"shareGroup": "team"}, ["exactly one of podRef"], id="two holders"),
    pytest.param("GPUPartitionClaim", {"requirement.memory": "lots"}, ["memory", '"lots"', "Gi"], id="no quantity"),
    pytest.param("GPUPartitionClaim", {"requirement.modes": ["CPX"]}, ["modes[0]", '"CPX"', "NPS4"], id="half a mode"),
    pytest.param(
        "GPUNode",
        {"operation": {"id": "a", "from": layout("SPX/NPS1"), "to": layout("CPX/NPS4", "DPX/NPS2")}},
        ["operation.to", "one memory mode", "same NPS"],
        id="two memory modes on a node",
    ),
    pytest.param(
        "RepartitionPlan",
        {"to": layout("SPX/NPS1", "SPX/NPS1")},
        ["spec.to", "nothing would change", "another mode"],
        id="nothing changes",
    ),
    pytest.param("RepartitionPlan", {"approval": "Yes"}, ["approval", '"Yes"', '"Manual"'], id="approval"),
    pytest.param("GPUSharingPolicy", {"repartition.cooldown": "10"}, ["cooldown", '"10"', "ms|s|m|h"], id="no unit"),
    pytest.param(
        "GPUSharingPolicy",
        {"quotas": [{"namespace": "a", "min": "2Gi", "max": "1Gi"}]},
        ["quotas[0].min", "2Gi", "1Gi", "raise max"],
        id="a quota's minimum above its maximum",
    ),
    pytest.param(
        "GPUSharingPolicy",
        {"nodeSelector.matchExpressions": [{"key": "a", "operator": "In"}]},
        ["matchExpressions[0]", "In and NotIn need values"],
        id="In without values",
    ),
    pytest.param(
        "ModelProfile",
        {"architecture.kvHeads": 5},
        ["attentionHeads", "32", "5", "num_key_value_heads"],
        id="heads that do not divide",
    ),
]


@pytest.mark.parametrize(("kind", "changes", "want"), BAD)
def test_a_bad_object_is_refused_with_field_value_and_remedy(
    kubectl: Kubectl, kind: str, changes: dict[str, Any], want: list[str]
) -> None:
    message = kubectl.refusal("create", "--dry-run=server", "-f", "-", document=document(kind, changes))
    assert [part for part in want if part not in message] == [], message


def test_a_name_that_no_service_can_have_is_refused(kubectl: Kubectl) -> None:
    bad = document("InferenceService", {}, name="1chat")
    message = kubectl.refusal("create", "--dry-run=server", "-f", "-", document=bad)
    assert "1chat" in message
    assert "beginning with a letter" in message


def test_a_claims_spec_never_changes(kubectl: Kubectl) -> None:
    kubectl.output("apply", "--server-side", "-f", "-", document=document("GPUPartitionClaim", {}, name="fixed"))
    message = kubectl.refusal(
        "patch", "gpc", "fixed", "--type=merge", '--patch={"spec":{"requirement":{"memory":"1Gi"}}}'
    )
    assert "never changes" in message


def test_of_a_plan_only_the_approval_changes(kubectl: Kubectl) -> None:
    kubectl.output("apply", "--server-side", "-f", "-", document=document("RepartitionPlan", {}, name="fixed"))
    patch = ("patch", "rpp", "fixed", "--type=merge")
    kubectl.output(*patch, '--patch={"spec":{"approved":true}}')
    for change in ('{"reason":"other"}', '{"claimRef":null}', '{"node":"m"}', '{"dryRun":true}'):
        assert "only approved may change" in kubectl.refusal(*patch, f'--patch={{"spec":{change}}}')


def test_what_was_defaulted_is_visible(kubectl: Kubectl) -> None:
    created = kubectl.output(
        "create", "--dry-run=server", "-o", "json", "-f", "-", document=document("InferenceService", {})
    )
    spec = json.loads(created)["spec"]
    assert spec["gpuSharing"] == {"isolation": "hardware", "partition": {"count": 1}}
    assert (spec["model"]["precision"], spec["replicas"], spec["qos"]) == ("auto", 1, {})


def test_a_service_scales(kubectl: Kubectl) -> None:
    kubectl.output("apply", "--server-side", "-f", "-", document=document("InferenceService", {}, name="scaled"))
    kubectl.output("scale", "aimisvc", "scaled", "--replicas=3")
    assert kubectl.output("get", "aimisvc", "scaled", "-o", "jsonpath={.spec.replicas}") == "3"


def test_columns_show_what_the_status_says(kubectl: Kubectl) -> None:
    kubectl.output("apply", "--server-side", "-f", "-", document=document("GPUPartitionClaim", {}, name="shown"))
    device = {"bdf": BDFS[0], "partition": 3, "mode": "CPX/NPS4", "bytes": 1}
    condition = {
        "type": "Bound",
        "status": "True",
        "reason": "Placed",
        "message": "",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }
    status = {"phase": "Bound", "allocation": {"node": "n", "devices": [device]}, "conditions": [condition]}
    patch = json.dumps({"status": status})
    kubectl.output("patch", "gpc", "shown", "--subresource=status", "--type=merge", f"--patch={patch}")
    row = kubectl.output("get", "gpc", "shown", "--no-headers").split()
    assert row[:-1] == ["shown", "Bound", "n", BDFS[0], "3", "CPX/NPS4", "Placed", "chat-0"]


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("aimisvc.spec", ["model", "-required-", "gpuSharing", "replicas", "<integer>"]),
        ("aimisvc.spec.model.precision", ["auto", "fp8", "published"]),
        ("aimisvc.spec.qos.slo", ["threshold", "500ms"]),
        ("gpun.status.gpus.partitions", ["renderIndex", "renderD128"]),
        ("gsp.spec.repartition", ["cooldown", "maxParallelNodes"]),
    ],
)
def test_explain_reads_well(kubectl: Kubectl, path: str, want: list[str]) -> None:
    explained = kubectl.output("explain", path)
    assert [part for part in want if part not in explained] == [], explained
