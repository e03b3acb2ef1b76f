"""The definitions on a real API server: accepted, explained, and refusing what they should.

Schema and CEL rules are judged by the server itself, through the kubectl of the environment.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from api.openapi import crd
from e2e.plane import Plane
from e2e.run.processes import OPERATOR
from e2e.run.webhook_addresses import forget_addresses
from tests.integration.api.small_objects import BDFS, SPECS, small_object

pytestmark = pytest.mark.plane

KUBECTL = Path(sys.executable).with_name("kubectl")
STORED = ("fixed", "scaled", "shown")


class Kubectl:
    """kubectl against one API server, in the operator's name: claims are nobody else's to make."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    def run(self, *arguments: str, document: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(KUBECTL), f"--kubeconfig={self._kubeconfig}", f"--as={OPERATOR}", "--as-group=system:masters"]
        command += arguments
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
def kubectl(plane: Plane) -> Iterator[Kubectl]:
    client = Kubectl(plane.kubeconfig)
    forget_addresses(plane)
    definitions = crd.crds()
    document = "---\n".join(map(crd.to_yaml, definitions))
    client.output("apply", "--server-side", "--force-conflicts", "-f", "-", document=document)
    names = [f"crd/{definition['metadata']['name']}" for definition in definitions]
    client.output("wait", "--for=condition=Established", "--timeout=30s", *names)
    yield client
    # the plane is shared by the run: a claim or a plan left behind would be acted upon
    for resource in ("gpc", "aimisvc", "rpp"):
        client.run("delete", resource, "--ignore-not-found", "--wait=false", *STORED)


def document(kind: str, changes: Mapping[str, Any] | None = None, name: str = "checked") -> str:
    return json.dumps(small_object(kind, dict(changes or {}), name=name))


@pytest.mark.parametrize("kind", SPECS)
def test_the_smallest_good_object_is_accepted(kubectl: Kubectl, kind: str) -> None:
    kubectl.output("create", "--dry-run=server", "--validate=strict", "-f", "-", document=document(kind))


def test_a_claims_spec_never_changes(kubectl: Kubectl) -> None:
    kubectl.output("apply", "--server-side", "-f", "-", document=document("GPUPartitionClaim", name="fixed"))
    message = kubectl.refusal(
        "patch", "gpc", "fixed", "--type=merge", '--patch={"spec":{"requirement":{"memory":"1Gi"}}}'
    )
    assert '["requirement"] cannot be changed: the spec of a claim never changes' in message
    taken = kubectl.refusal(
        "patch", "gpc", "fixed", "--type=merge", '--patch={"spec":{"podRef":null,"shareGroup":"a"}}'
    )
    assert '["podRef", "shareGroup"] cannot be changed' in taken


def test_of_a_plan_only_the_approval_and_the_way_back_change(kubectl: Kubectl) -> None:
    kubectl.output("apply", "--server-side", "-f", "-", document=document("RepartitionPlan", name="fixed"))
    patch = ("patch", "rpp", "fixed", "--type=merge")
    kubectl.output(*patch, '--patch={"spec":{"approved":true}}')
    kubectl.output(*patch, '--patch={"spec":{"rollback":true}}')
    for change in ('{"reason":"other"}', '{"claimRef":null}', '{"node":"m"}', '{"dryRun":true}'):
        refusal = kubectl.refusal(*patch, f'--patch={{"spec":{change}}}')
        changed = json.dumps(list(json.loads(change)))
        assert f"{changed} cannot be changed: only approved and rollback may change" in refusal


def test_a_plan_that_regains_gpus_may_leave_their_modes_as_they_are(kubectl: Kubectl) -> None:
    same = {"to": SPECS["RepartitionPlan"]["from"]}
    check = ("apply", "--server-side", "--dry-run=server", "-f", "-")
    kubectl.output(*check, document=document("RepartitionPlan", same | {"gain": {"gpus": 1}}))
    refused = kubectl.refusal(*check, document=document("RepartitionPlan", same))
    assert "nothing would change, give another mode" in refused


def test_the_backend_of_a_service_is_chosen_once(kubectl: Kubectl) -> None:
    kubectl.output("apply", "--server-side", "-f", "-", document=document("InferenceService", name="fixed"))
    patch = ("patch", "aimisvc", "fixed", "--subresource=status", "--type=merge")
    kubectl.output(*patch, '--patch={"status":{"backend":"deployment"}}')
    kubectl.output(*patch, '--patch={"status":{"backend":"deployment","replicas":1}}')
    assert "backend deployment was chosen once and cannot become kserve" in kubectl.refusal(
        *patch, '--patch={"status":{"backend":"kserve"}}'
    )
    assert "cannot become absent" in kubectl.refusal(*patch, '--patch={"status":{"backend":null}}')


def test_what_was_defaulted_is_visible(kubectl: Kubectl) -> None:
    created = kubectl.output(
        "create", "--dry-run=server", "-o", "json", "-f", "-", document=document("InferenceService")
    )
    spec = json.loads(created)["spec"]
    assert spec["gpuSharing"] == {"isolation": "hardware", "partition": {"count": 1}}
    assert (spec["model"]["precision"], spec["replicas"], spec["qos"]) == ("auto", 1, {})


def test_a_service_scales(kubectl: Kubectl) -> None:
    kubectl.output("apply", "--server-side", "-f", "-", document=document("InferenceService", name="scaled"))
    kubectl.output("scale", "aimisvc", "scaled", "--replicas=3")
    assert kubectl.output("get", "aimisvc", "scaled", "-o", "jsonpath={.spec.replicas}") == "3"


def test_columns_show_what_the_status_says(kubectl: Kubectl) -> None:
    kubectl.output("apply", "--server-side", "-f", "-", document=document("GPUPartitionClaim", name="shown"))
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


QOS_EXPLAINED = (
    "The service level of requests: their class, how many are served at once, the objectives to keep, and how long they "
    "may wait. Absent: class standard, no bounds and no objectives.",
    "Name of one of the policy's qosClasses, which decides who is served first; absent: standard.",
    "How many requests are served at once, at least and at most; absent: no bounds.",
    "How many requests may wait, and how long; absent: 1000 requests, 60s each.",
    "Service level objectives to keep and to report; absent: none is watched.",
)


def test_the_service_level_is_explained_in_sentences(kubectl: Kubectl) -> None:
    explained = " ".join(kubectl.output("explain", "aimisvc.spec.qos").split())
    assert [sentence for sentence in QOS_EXPLAINED if sentence not in explained] == [], explained
    for field in ("class <string>", "guarantees <Object>", "queue <Object>", "slo <[]Object>"):
        assert field in explained


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
