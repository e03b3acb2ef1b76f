import copy
from collections.abc import Callable
from itertools import count
from typing import Any, cast

import pytest

from api.group import (
    ASSIGNED_PARTITION,
    ENGINE_ARGS,
    ENGINE_LABEL,
    GATE,
    GPU_SHARING,
    MAX_MODEL_LEN,
    MODEL_ID,
    PRECISION,
    SERVICE_LABEL,
)
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import Pod as StoredPod
from controller.runtime.webhook.admission import AdmissionRequest
from controller.sizing.catalog import Catalog
from controller.state.models import Models
from controller.translate.pod import claim_name
from controller.translate.request import Problem
from controller.webhooks.pod_binding import PodBinding
from controller.webhooks.pod_gate import CLAIM_REFERENCE, PodGate, random_suffix
from tests.builders.json_patch import apply_patch
from tests.builders.pod import OPTED_IN, container, template

Pod = dict[str, Any]


def numbered() -> Callable[[], str]:
    """Suffixes that differ at every call, so that a second claim would show."""
    numbers = count()
    return lambda: f"{next(numbers):010}"


def admit(pod: Pod, gate: PodGate | None = None) -> Pod:
    patch = (gate or PodGate(numbered())).mutate(pod)
    assert isinstance(patch, list), patch
    return apply_patch(pod, patch)


def problem(pod: Pod) -> Problem:
    outcome = PodGate().mutate(pod)
    assert isinstance(outcome, tuple)
    (found,) = outcome
    return found


def holders(pod: Pod) -> list[str]:
    """Names of the containers that have our claim, each as often as it has it."""
    return [
        each["name"]
        for each in pod["spec"]["containers"]
        for claim in (each.get("resources") or {}).get("claims") or ()
        if claim["name"] == CLAIM_REFERENCE
    ]


def test_an_opted_in_pod_is_gated_and_asks_for_its_claim() -> None:
    after = admit(template())
    assert after["spec"]["schedulingGates"] == [{"name": GATE}]
    assert after["spec"]["resourceClaims"] == [{"name": "aim-gpu", "resourceClaimName": "aim-0000000000"}]
    assert holders(after) == ["main"]
    assert claim_name(typed(after, StoredPod)) == "aim-0000000000"


@pytest.mark.parametrize("labels", [None, {}, {"app": "chat"}, {ENGINE_LABEL: "false", "app": "chat"}])
def test_every_pod_that_takes_part_can_be_selected_by_its_label(labels: dict[str, str] | None) -> None:
    pod = template()
    if labels is not None:
        pod["metadata"]["labels"] = labels
    assert admit(pod)["metadata"]["labels"] == {**(labels or {}), ENGINE_LABEL: "true"}


def test_the_environment_reads_what_binding_will_write() -> None:
    (main,) = admit(template())["spec"]["containers"]
    paths = {item["name"]: item["valueFrom"]["fieldRef"]["fieldPath"] for item in main["env"]}
    assert paths == {
        "AIM_ENGINE_ARGS": f"metadata.annotations['{ENGINE_ARGS}']",
        "AIM_GPU_PARTITION": f"metadata.annotations['{ASSIGNED_PARTITION}']",
    }


def test_what_the_pod_set_itself_stays() -> None:
    mine = [{"name": "AIM_ENGINE_ARGS", "value": "{}"}, {"name": "HOME", "value": "/"}]
    (main,) = admit(template(container(env=mine)))["spec"]["containers"]
    assert main["env"][:2] == mine
    assert [item["name"] for item in main["env"]] == ["AIM_ENGINE_ARGS", "HOME", "AIM_GPU_PARTITION"]


SHAPES = [
    pytest.param(template(), id="one bare container"),
    pytest.param(template(container(limits={"amd.com/gpu": "1"})), id="a container that asks for a GPU"),
    pytest.param(template(container(requests={"cpu": "1"})), id="a container with requests"),
    pytest.param(template(container("proxy"), container("kserve-container")), id="KServe's"),
    pytest.param(template(container(env=[{"name": "A", "value": "b"}])), id="a container with environment"),
    pytest.param(template(schedulingGates=[{"name": "other"}]), id="a pod with another gate"),
    pytest.param(
        template(resourceClaims=[{"name": "net", "resourceClaimTemplateName": "nic"}]), id="a pod with another claim"
    ),
    pytest.param(template(container(resources={"claims": [{"name": "net"}]})), id="a container with another claim"),
    pytest.param(template(container(resources={}, env=[])), id="empty resources and environment"),
]


@pytest.mark.parametrize("pod", SHAPES)
def test_applied_twice_is_applied_once(pod: Pod) -> None:
    gate = PodGate(numbered())
    once = admit(pod, gate)
    assert gate.mutate(once) == []
    assert holders(once) in (["main"], ["kserve-container"])
    assert sum(each["name"] == GATE for each in once["spec"]["schedulingGates"]) == 1


@pytest.mark.parametrize("pod", SHAPES)
def test_the_pod_itself_is_not_changed(pod: Pod) -> None:
    before = copy.deepcopy(pod)
    PodGate().mutate(pod)
    assert pod == before


def test_gates_and_claims_of_others_stay() -> None:
    network = {"name": "net", "resourceClaimTemplateName": "nic"}
    after = admit(
        template(
            container(resources={"claims": [{"name": "net"}], "limits": {"cpu": "2"}}),
            schedulingGates=[{"name": "kueue.x-k8s.io/admission"}],
            resourceClaims=[network],
        )
    )
    assert [gate["name"] for gate in after["spec"]["schedulingGates"]] == ["kueue.x-k8s.io/admission", GATE]
    assert after["spec"]["resourceClaims"][0] == network
    (main,) = after["spec"]["containers"]
    assert main["resources"] == {"claims": [{"name": "net"}, {"name": "aim-gpu"}], "limits": {"cpu": "2"}}


@pytest.mark.parametrize(
    ("containers", "want"),
    [
        pytest.param([container("any")], "any", id="the only one"),
        pytest.param([container("a", limits={"amd.com/gpu": "1"}), container("b")], "a", id="the one that asks"),
        pytest.param(
            [container("a", requests={"amd.com/cpx_nps4": "1"}), container("kserve-container")],
            "a",
            id="asking wins over KServe's name, whatever the resource is called",
        ),
        pytest.param([container("queue-proxy"), container("kserve-container")], "kserve-container", id="KServe's"),
    ],
)
def test_which_container_gets_the_claim(containers: list[Pod], want: str) -> None:
    assert holders(admit(template(*containers))) == [want]


@pytest.mark.parametrize(
    "containers",
    [
        pytest.param([container("a"), container("b")], id="none asks and none is KServe's"),
        pytest.param([container(name, limits={"amd.com/gpu": "1"}) for name in "ab"], id="two ask"),
    ],
)
def test_several_candidates_are_refused_by_name(containers: list[Pod]) -> None:
    found = problem(template(*containers))
    assert (found.field, found.value) == ("spec.containers", "a, b")
    assert "kserve-container" in found.remedy


def test_requests_of_the_device_plugin_are_taken_off_everywhere() -> None:
    asked = {"amd.com/gpu": "1", "cpu": "2"}
    after = admit(template(container("a", requests=asked, limits=asked)))
    (main,) = after["spec"]["containers"]
    assert main["resources"] == {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}, "claims": [{"name": "aim-gpu"}]}


def test_an_init_container_that_asks_runs_on_the_same_partition() -> None:
    gate = PodGate(numbered())
    warm = container("warm", limits={"amd.com/gpu": "1"})
    once = admit(template(initContainers=[container("fetch"), warm]), gate)
    fetch, after = once["spec"]["initContainers"]
    assert after["resources"] == {"limits": {}, "claims": [{"name": "aim-gpu"}]}
    assert "resources" not in fetch
    assert holders(once) == ["main"]
    assert gate.mutate(once) == []


def test_reinvoked_after_kserve_added_a_container_nothing_moves() -> None:
    gate = PodGate(numbered())
    once = admit(template(container("kserve-container", limits={"amd.com/gpu": "1"})), gate)
    once["spec"]["containers"].insert(0, container("queue-proxy"))
    once["spec"]["initContainers"] = [container("storage-initializer")]
    assert gate.mutate(once) == []


def test_reinvoked_after_kserve_put_the_request_back_it_is_taken_off_again() -> None:
    gate = PodGate(numbered())
    once = admit(template(container("kserve-container")), gate)
    once["spec"]["containers"][0]["resources"]["limits"] = {"amd.com/gpu": "1"}
    twice = admit(once, gate)
    assert twice["spec"]["containers"][0]["resources"] == {"claims": [{"name": "aim-gpu"}], "limits": {}}
    assert twice["spec"]["resourceClaims"] == once["spec"]["resourceClaims"]


def test_two_pods_of_one_template_get_two_claims() -> None:
    gate = PodGate(numbered())
    first, second = (claim_name(typed(admit(template(), gate), StoredPod)) for _ in range(2))
    assert first != second


def test_suffixes_make_valid_names_that_do_not_repeat() -> None:
    suffixes = {random_suffix() for _ in range(200)}
    assert len(suffixes) == 200
    assert all(len(suffix) == 10 and suffix.isascii() and suffix.isalnum() for suffix in suffixes)
    assert all(suffix == suffix.lower() for suffix in suffixes)


@pytest.mark.parametrize(
    "annotations",
    [
        pytest.param({}, id="no annotations"),
        pytest.param({MODEL_ID: "Qwen/Qwen3-8B"}, id="a model but no opt-in"),
        pytest.param(OPTED_IN | {GPU_SHARING: "false"}, id="opted out"),
    ],
)
def test_who_did_not_opt_in_is_not_touched(annotations: dict[str, str]) -> None:
    assert PodGate().mutate(template(container(limits={"amd.com/gpu": "1"}), annotations=annotations)) == []


def asked(pod: Pod | None, operation: str = "CREATE") -> AdmissionRequest:
    return AdmissionRequest("u1", operation, "team-a", "", pod, None, "alice", (), dry_run=False)


async def test_the_answer_carries_the_patch() -> None:
    answer = await PodGate(numbered())(asked(template()))
    assert answer.allowed
    assert answer.patch[0] == {"op": "add", "path": "/spec/schedulingGates", "value": [{"name": GATE}]}


async def test_malformed_annotations_are_refused_with_every_problem() -> None:
    answer = await PodGate()(asked(template(annotations=OPTED_IN | {GPU_SHARING: "maybe", MAX_MODEL_LEN: "8k"})))
    assert (answer.allowed, answer.code, answer.patch) == (False, 422, ())
    for words in (f"{GPU_SHARING}: 'maybe'", 'write "true" or "false"', f"{MAX_MODEL_LEN}: '8k'", "write e.g. 8192"):
        assert words in answer.message


@pytest.mark.parametrize("operation", ["UPDATE", "DELETE", "CONNECT"])
async def test_other_operations_pass(operation: str) -> None:
    answer = await PodGate()(asked(template(), operation))
    assert (answer.allowed, answer.patch) == (True, ())


MISSPELT = OPTED_IN | {"aim.amd.com/maxModelLen": "4096"}


@pytest.mark.parametrize(
    ("annotations", "want_allowed"),
    [
        pytest.param(MISSPELT, True, id="a pod that is gated"),
        pytest.param(MISSPELT | {MAX_MODEL_LEN: "8k"}, False, id="a pod that is refused"),
    ],
)
async def test_misspelt_keys_are_warned_about(annotations: dict[str, str], want_allowed: bool) -> None:
    answer = await PodGate(numbered())(asked(template(annotations=annotations)))
    assert answer.allowed is want_allowed
    (warning,) = answer.warnings
    assert "aim.amd.com/maxModelLen: '4096'" in warning
    assert f"did you mean {MAX_MODEL_LEN}?" in warning


async def test_a_pod_that_spells_well_hears_nothing() -> None:
    assert (await PodGate(numbered())(asked(template()))).warnings == ()


UNCOPIED = OPTED_IN | {MODEL_ID: "allenai/OLMo-2-0325-32B-Instruct", PRECISION: "fp8"}


@pytest.mark.parametrize(
    ("annotations", "labels", "want"),
    [
        pytest.param(UNCOPIED, {}, 1, id="fp8 that its engine must make"),
        pytest.param(UNCOPIED | {PRECISION: "bf16"}, {}, 0, id="the published weights"),
        pytest.param(UNCOPIED | {MODEL_ID: "no/such"}, {}, 0, id="a model that nobody knows"),
        pytest.param(UNCOPIED | {GPU_SHARING: "false"}, {}, 0, id="opted out"),
        pytest.param(UNCOPIED, {SERVICE_LABEL: "chat"}, 0, id="a pod of a service, which has its own check"),
    ],
)
async def test_what_is_assumed_of_a_pods_engine_is_said(
    annotations: dict[str, str], labels: dict[str, str], want: int
) -> None:
    made = template(annotations=annotations)
    made["metadata"]["labels"] = labels
    answer = await PodGate(numbered(), sizing=Models(Catalog.bundled()))(asked(made))
    assert answer.allowed
    assert len(answer.warnings) == want
    assert all("aim.amd.com/precision: 'fp8' assumes that 16-bit weights" in warning for warning in answer.warnings)


CPX = "amd.com/cpx_nps4"


class Chosen:
    """Stands for the cluster's knowledge: every pod asks for `resource`, "" for a ResourceClaim."""

    def __init__(self, resource: str = CPX, *, known: bool = True, partitions: int = 1) -> None:
        self.answer = resource
        self.partitions = partitions
        self.is_known = known
        self.asked_of: list[tuple[str, dict[str, str]]] = []

    async def known(self) -> bool:
        return self.is_known

    def resource(self, namespace: str, labels: dict[str, str], _: object) -> str:
        self.asked_of.append((namespace, labels))
        return self.answer

    def count(self, _namespace: str, _labels: dict[str, str]) -> int:
        return self.partitions


def plugin_gate(chosen: Chosen | None = None) -> PodGate:
    return PodGate(numbered(), cast("PodBinding", chosen or Chosen()))


def asks(pod: Pod) -> dict[str, dict[str, str]]:
    """What each container asks of the device plugin; requests must be the same as limits."""
    found = {}
    for each in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]):
        resources = each.get("resources") or {}
        limits, requests = (
            {name: value for name, value in (resources.get(kind) or {}).items() if name.startswith("amd.com/")}
            for kind in ("limits", "requests")
        )
        assert limits == requests
        found[each["name"]] = limits
    return found


def test_with_the_device_plugin_the_container_asks_for_a_resource_and_no_claim() -> None:
    after = admit(template(), plugin_gate())
    assert asks(after) == {"main": {CPX: "1"}}
    assert after["spec"]["schedulingGates"] == [{"name": GATE}]
    assert "resourceClaims" not in after["spec"]
    assert [item["name"] for item in after["spec"]["containers"][0]["env"]] == ["AIM_ENGINE_ARGS", "AIM_GPU_PARTITION"]


@pytest.mark.parametrize(
    ("containers", "init", "want"),
    [
        pytest.param(
            [container("a", limits={"amd.com/gpu": "1", "cpu": "2"}, requests={"amd.com/gpu": "1"})],
            [],
            {"a": {CPX: "1"}},
            id="another name is renamed",
        ),
        pytest.param([container("a", limits={CPX: "4"})], [], {"a": {CPX: "1"}}, id="one partition a pod"),
        pytest.param([container("a", limits={CPX: "1"})], [], {"a": {CPX: "1"}}, id="requests come with limits"),
        pytest.param(
            [container("queue-proxy"), container("kserve-container")],
            [],
            {"queue-proxy": {}, "kserve-container": {CPX: "1"}},
            id="KServe's container",
        ),
        pytest.param(
            [container("a")],
            [container("warm", limits={"amd.com/gpu": "1"}), container("fetch")],
            {"warm": {CPX: "1"}, "fetch": {}, "a": {CPX: "1"}},
            id="an init container that asks runs before it on the same device",
        ),
        pytest.param(
            [container("a")],
            [container("agent", limits={"amd.com/gpu": "1"}, restartPolicy="Always")],
            {"agent": {}, "a": {CPX: "1"}},
            id="a sidecar would hold another one",
        ),
    ],
)
def test_who_asks_for_the_resource(containers: list[Pod], init: list[Pod], want: dict[str, dict[str, str]]) -> None:
    after = admit(template(*containers, initContainers=init), plugin_gate())
    assert asks(after) == want


@pytest.mark.parametrize("pod", SHAPES)
def test_with_the_device_plugin_applied_twice_is_applied_once(pod: Pod) -> None:
    gate = plugin_gate()
    once = admit(pod, gate)
    assert gate.mutate(once) == []


def test_what_is_decided_anew_replaces_what_was_decided_before() -> None:
    chosen = Chosen()
    gate = plugin_gate(chosen)
    once = admit(template(), gate)
    chosen.answer = "amd.com/qpx_nps1"
    assert asks(admit(once, gate)) == {"main": {"amd.com/qpx_nps1": "1"}}
    chosen.answer = ""
    back = admit(once, gate)
    assert (asks(back), holders(back)) == ({"main": {}}, ["main"])


def test_a_pod_that_has_its_claim_keeps_it() -> None:
    chosen = Chosen("")
    gate = plugin_gate(chosen)
    once = admit(template(), gate)
    chosen.answer = CPX
    assert gate.mutate(once) == []


def test_a_pod_that_brings_our_gate_gets_its_claim_all_the_same() -> None:
    after = admit(template(container(limits={"amd.com/gpu": "1"}), schedulingGates=[{"name": GATE}]))
    assert [claim["resourceClaimName"] for claim in after["spec"]["resourceClaims"]] == ["aim-0000000000"]


async def test_the_decision_knows_namespace_and_labels() -> None:
    chosen = Chosen()
    pod = template()
    pod["metadata"]["labels"] = {"app": "chat"}
    answer = await plugin_gate(chosen)(asked(pod))
    assert (answer.allowed, chosen.asked_of) == (True, [("team-a", {"app": "chat"})])


@pytest.mark.parametrize(
    ("annotations", "want"),
    [
        pytest.param(OPTED_IN, (False, 429), id="a pod that takes part"),
        pytest.param({}, (True, 200), id="a pod that does not"),
    ],
)
async def test_before_the_cluster_is_known_pods_are_asked_to_come_again(
    annotations: dict[str, str], want: tuple[bool, int]
) -> None:
    answer = await plugin_gate(Chosen(known=False))(asked(template(annotations=annotations)))
    assert (answer.allowed, answer.code) == want


def test_a_service_of_two_partitions_a_pod_asks_for_two_devices() -> None:
    gate = plugin_gate(Chosen(partitions=2))
    after = admit(template(container("a", limits={CPX: "1"})), gate)
    assert asks(after) == {"a": {CPX: "2"}}
    assert gate.mutate(after) == []
