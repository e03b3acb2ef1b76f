from typing import Any

import pytest

from controller.placement.demand import Resources, Toleration
from controller.placement.expression import Expression
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import Pod, PodSpec
from controller.translate.pod import claim_name, constraints, plugin_claim_name, pod_view, requests
from tests.builders.plugin import CPX, plugin_pod
from tests.builders.pod import GATE, OPTED_IN, container, pod, pod_spec, typed_pod

MI = 1 << 20


def asks(name: str, cpu: str, memory: str = "0", **fields: Any) -> dict[str, Any]:
    return container(name, requests={"cpu": cpu, "memory": memory}, **fields)


def sidecar(name: str, cpu: str) -> dict[str, Any]:
    return asks(name, cpu, restartPolicy="Always")


SUMS = [
    pytest.param({"containers": [container()]}, 0, id="nothing asked"),
    pytest.param({"containers": [asks("a", "1"), asks("b", "500m")]}, 1500, id="containers add up"),
    pytest.param(
        {"initContainers": [asks("i", "3")], "containers": [asks("a", "1"), asks("b", "1")]},
        3000,
        id="a larger init container counts instead",
    ),
    pytest.param(
        {"initContainers": [asks("i", "1"), asks("j", "1500m")], "containers": [asks("a", "2")]},
        2000,
        id="init containers run one after the other",
    ),
    pytest.param({"initContainers": [sidecar("s", "1")], "containers": [asks("a", "2")]}, 3000, id="a sidecar adds up"),
    pytest.param(
        {"initContainers": [sidecar("s", "1"), asks("i", "3")], "containers": [asks("a", "2")]},
        4000,
        id="an init container runs beside the sidecars before it",
    ),
    pytest.param(
        {"initContainers": [asks("i", "3"), sidecar("s", "1")], "containers": [asks("a", "1")]},
        3000,
        id="but not beside those after it",
    ),
    pytest.param(
        {"containers": [asks("a", "2")], "overhead": {"cpu": "250m"}}, 2250, id="the runtime class's overhead adds up"
    ),
    pytest.param(
        {"containers": [asks("a", "2")], "resources": {"requests": {"cpu": "3"}}}, 3000, id="pod-level requests win"
    ),
    pytest.param(
        {
            "containers": [asks("a", "2")],
            "initContainers": [asks("i", "9")],
            "resources": {"requests": {"cpu": "3"}},
            "overhead": {"cpu": "1"},
        },
        4000,
        id="over init containers too, and overhead comes on top",
    ),
    pytest.param(
        {"containers": [asks("a", "2")], "resources": {"requests": {"memory": "1Gi"}}},
        2000,
        id="pod-level memory says nothing of CPU",
    ),
    pytest.param(
        {"containers": [container(requests={"amd.com/gpu": "1", "cpu": "1"})]}, 1000, id="other resources do not count"
    ),
]


@pytest.mark.parametrize(("spec", "want_cpu"), SUMS)
def test_what_the_scheduler_counts(spec: dict[str, Any], want_cpu: int) -> None:
    found = requests(typed(spec, PodSpec))
    assert (found.cpu_milli, found.pods) == (want_cpu, 1)


def test_cpu_and_memory_peak_apart() -> None:
    spec = {
        "initContainers": [asks("i", "3", "10Mi")],
        "containers": [asks("a", "1", "100Mi"), asks("b", "1", "100Mi")],
        "overhead": {"memory": "1Mi"},
    }
    assert requests(typed(spec, PodSpec)) == Resources(3000, 201 * MI, 1)


@pytest.mark.parametrize(
    ("made", "want"),
    [
        pytest.param(typed_pod(), "aim-a", id="opted in, with a claim of ours"),
        pytest.param(typed_pod(claim=None), None, id="without a claim"),
        pytest.param(typed_pod(claim="theirs"), None, id="with a claim of somebody else"),
        pytest.param(typed_pod(annotations={}), None, id="not opted in"),
        pytest.param(typed_pod(annotations={"aim.amd.com/gpu-sharing": "false"}), None, id="opted out"),
    ],
)
def test_claim_name(made: Pod, want: str | None) -> None:
    assert claim_name(made) == want


def test_a_claim_by_template_is_not_ours() -> None:
    claims = [{"name": "aim-gpu", "resourceClaimTemplateName": "aim-template"}]
    assert claim_name(typed_pod(claim=None, resourceClaims=claims)) is None


def test_the_view_of_a_fresh_pod() -> None:
    view = pod_view(typed_pod(gates=["kueue.x-k8s.io/admission", GATE], priority=7))
    assert (view.namespace, view.name, view.uid) == ("team-a", "model-0", "uid-model-0")
    assert (view.gated, view.foreign_gates) == (True, ("kueue.x-k8s.io/admission",))
    assert (view.priority, view.node, view.phase, view.owner) == (7, None, "Pending", None)
    assert not (view.terminal)
    assert not (view.deleting)
    assert not (view.ready)
    assert view.created_seconds == 1767225600.0


@pytest.mark.parametrize(("phase", "want"), [("Running", False), ("Unknown", False), ("Failed", True)])
def test_terminal_phases(phase: str, want: bool) -> None:
    assert pod_view(typed_pod(phase=phase)).terminal is want


def test_the_owner_is_the_controller_alone() -> None:
    owners = [{"kind": "Thing", "name": "t", "uid": "1"}]
    assert pod_view(typed_pod(metadata={"ownerReferences": owners})).owner is None
    owners.append({"kind": "ReplicaSet", "name": "r", "uid": "2", "controller": True})  # type: ignore[dict-item]
    assert pod_view(typed_pod(metadata={"ownerReferences": owners})).owner == ("ReplicaSet", "r", "2")


@pytest.mark.parametrize(
    ("kind", "name", "labels", "want"),
    [
        pytest.param("ReplicaSet", "chat-7d9f8", {"pod-template-hash": "7d9f8"}, "chat", id="a Deployment's"),
        pytest.param("ReplicaSet", "chat-7d9f8", {"rollouts-pod-template-hash": "7d9f8"}, "chat", id="a Rollout's"),
        pytest.param("ReplicaSet", "chat-7d9f8", {}, "chat-7d9f8", id="a ReplicaSet's that nobody made"),
        pytest.param("Job", "nightly-29391820", {}, "nightly", id="a CronJob's"),
        pytest.param("Job", "evaluate-2026", {}, "evaluate-2026", id="a Job's that people made"),
        pytest.param("StatefulSet", "chat-7d9f8", {"pod-template-hash": "7d9f8"}, "chat-7d9f8", id="a StatefulSet's"),
    ],
)
def test_the_workload_is_what_people_made(kind: str, name: str, labels: dict[str, str], want: str) -> None:
    owners = [{"kind": kind, "name": name, "uid": "2", "controller": True}]
    assert pod_view(typed_pod(metadata={"ownerReferences": owners, "labels": labels})).workload == want


def test_a_pod_that_nobody_made_is_of_no_workload() -> None:
    assert pod_view(typed_pod()).workload == ""


def test_ready_and_deleting_are_read() -> None:
    made = pod(phase="Running", metadata={"deletionTimestamp": "2026-01-01T00:01:00Z"})
    made["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    view = pod_view(typed(made, Pod))
    assert (view.ready, view.deleting) == (True, True)


def test_constraints_carry_what_the_scheduler_checks() -> None:
    affinity = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {
                        "matchExpressions": [{"key": "zone", "operator": "In", "values": ["north"]}],
                        "matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["worker-9"]}],
                    },
                    {},
                ]
            }
        }
    }
    tolerations = [{"operator": "Exists"}, {"key": "amd", "value": "x", "effect": "NoSchedule"}]
    spec = {"nodeSelector": {"b": "2", "a": "1"}, "affinity": affinity, "tolerations": tolerations}
    found = constraints(pod_spec(asks("a", "1"), annotations=OPTED_IN, **spec))
    assert found.resources == Resources(1000, 0, 1)
    assert found.node_selector == (("a", "1"), ("b", "2"))
    assert found.tolerations == (Toleration("", "Exists"), Toleration("amd", "Equal", "x", "NoSchedule"))
    in_north = Expression("zone", "In", ("north",))
    assert found.affinity == ((in_north, Expression("metadata.name", "NotIn", ("worker-9",), True)), ())


def test_preferred_affinity_is_no_constraint() -> None:
    preferred = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}}
    assert constraints(pod_spec(affinity=preferred)).affinity == ()


def test_without_node_affinity_there_is_no_constraint() -> None:
    assert constraints(pod_spec(affinity={"podAffinity": {}})).affinity == ()


def test_a_pod_that_no_api_server_has_stored_has_no_view() -> None:
    with pytest.raises(ValueError, match=r"pod team-a/model-0: metadata.creationTimestamp is missing"):
        pod_view(typed_pod(metadata={"creationTimestamp": None}))


@pytest.mark.parametrize(
    ("labels", "want"),
    [
        pytest.param({"pod-template-hash": "7f"}, "7f", id="of a ReplicaSet"),
        pytest.param({"controller-revision-hash": "web-5"}, "web-5", id="of a StatefulSet"),
        pytest.param({"app": "x"}, "", id="of nobody who marks revisions"),
    ],
)
def test_the_revision_of_a_pods_template(labels: dict[str, str], want: str) -> None:
    assert pod_view(typed_pod(metadata={"labels": labels})).template_hash == want


PLUGIN_CLAIM = plugin_claim_name("uid-model-0")
GPU = {"amd.com/gpu": "1"}


@pytest.mark.parametrize(
    ("made", "want"),
    [
        pytest.param(plugin_pod(), PLUGIN_CLAIM, id="held by our gate"),
        pytest.param(plugin_pod(bound="worker-0"), PLUGIN_CLAIM, id="bound by the operator"),
        pytest.param(plugin_pod(gates=()), None, id="it was never held: annotated afterwards, or made without us"),
        pytest.param(plugin_pod(annotations={}), None, id="it takes no part"),
        pytest.param(pod(claim=None), None, id="it asks for nothing of AMD's"),
        pytest.param(plugin_pod(resource="amd.com/npu"), None, id="it asks for another device of AMD's"),
        pytest.param(pod("model-0", container(limits=GPU), claim="aim-a"), "aim-a", id="a ResourceClaim goes before"),
    ],
)
def test_the_claim_of_a_pod_of_the_device_plugin_is_named_for_its_uid(made: dict[str, Any], want: str | None) -> None:
    assert claim_name(typed(made, Pod)) == want


@pytest.mark.parametrize(
    ("made", "want"),
    [
        pytest.param(plugin_pod(), CPX, id="of the device plugin"),
        pytest.param(pod("model-0", container(limits=GPU), claim="aim-a"), "", id="with a ResourceClaim"),
        pytest.param(plugin_pod(annotations={}), "", id="none of ours"),
    ],
)
def test_the_resource_by_which_a_pod_gets_its_partition(made: dict[str, Any], want: str) -> None:
    assert pod_view(typed(made, Pod)).resource == want


def test_the_preemption_policy_says_whether_others_may_have_to_leave_for_it() -> None:
    assert pod_view(typed_pod()).preempts
    assert pod_view(typed_pod(preemptionPolicy="PreemptLowerPriority")).preempts
    assert not pod_view(typed_pod(preemptionPolicy="Never")).preempts
