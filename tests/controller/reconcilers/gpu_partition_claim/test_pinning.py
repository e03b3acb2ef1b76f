import pytest

from api.v1beta1 import GPUPartitionClaim
from controller.binding.dra import PinnedDevice, claim_spec
from controller.reconcilers.gpu_partition_claim.pinning import (
    Ensured,
    Opened,
    ensure_resource_claim,
    open_gate,
    pin_of,
    reassign,
)
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from controller.runtime.client.errors import ApiError, NotFound
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import Pod
from controller.runtime.objects.resource_claim import ResourceClaim
from controller.translate.node_taint import TAINT_KEY
from controller.translate.pod import PodView, pod_view
from controller.translate.resource_claim import resource_claim_view
from tests.builders.claim import bound_claim, claim
from tests.builders.gpu import device_name
from tests.builders.node import node_object
from tests.builders.pod import ASSIGNED, GATE, OPTED_IN, pod
from tests.builders.policy import policy_object
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.gpu_partition_claim.api import (
    MOVED_ON,
    NOT_ANSWERED,
    REFUSED_BY_VALIDATION,
    InMemoryApi,
    refusing,
)
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator

CLAIM = GPUPartitionClaim.model_validate(bound_claim(index=3))
SPEC = claim_spec(pin_of(CLAIM))
MINE = [{"key": "dedicated", "operator": "Exists"}]
OURS = {"key": TAINT_KEY, "operator": "Exists", "effect": "NoSchedule"}
OTHER = GPUPartitionClaim.model_validate(bound_claim(index=4))
OTHER_PIN = claim_spec(pin_of(OTHER))


def stored_pod(api: InMemoryApi, **fields: object) -> PodView:
    return pod_view(typed(api.put(PODS, pod(**fields)), Pod))  # type: ignore[arg-type]


def test_the_pin_is_what_the_claim_got() -> None:
    pin = pin_of(CLAIM)
    assert (pin.node, pin.pool, pin.devices) == ("worker-0", "worker-0", (PinnedDevice(device_name(0, 3), 131),))
    assert pin.profile == "cpx_nps4"


def test_without_an_allocation_there_is_no_pin() -> None:
    with pytest.raises(ValueError, match="team-a/aim-a has no allocation"):
        pin_of(GPUPartitionClaim.model_validate(claim()))


async def test_the_resource_claim_is_made_once(api: InMemoryApi, operator: Operator) -> None:
    view = stored_pod(api)
    assert await ensure_resource_claim(operator.context, CLAIM, view, None) is Ensured.CREATED
    assert await ensure_resource_claim(operator.context, CLAIM, view, None) is Ensured.PRESENT
    assert [made["spec"] for made in api.of(RESOURCE_CLAIMS)] == [SPEC]


@pytest.mark.parametrize(
    ("present", "want", "want_kept"),
    [
        pytest.param(resource_claim(spec=SPEC), Ensured.PRESENT, True, id="as we write it"),
        pytest.param(resource_claim(spec=SPEC, owner_uid="other"), Ensured.TAKEN, True, id="of another pod"),
        pytest.param(resource_claim(spec=SPEC, owner_uid=None), Ensured.TAKEN, True, id="of nobody"),
        pytest.param(resource_claim(spec=OTHER_PIN), Ensured.REPLACING, False, id="an older pin of ours"),
        pytest.param(
            resource_claim(spec=OTHER_PIN, device=device_name(0, 4)), Ensured.TAKEN, True, id="another pin, allocated"
        ),
    ],
)
async def test_a_resource_claim_that_is_there(
    api: InMemoryApi, operator: Operator, present: dict[str, object], want: Ensured, want_kept: bool
) -> None:
    seen = resource_claim_view(typed(api.put(RESOURCE_CLAIMS, present), ResourceClaim))
    assert await ensure_resource_claim(operator.context, CLAIM, stored_pod(api), seen) is want
    assert bool(api.of(RESOURCE_CLAIMS)) is want_kept


async def test_a_forged_claim_that_our_watch_does_not_show_yet_is_found_out(
    api: InMemoryApi, operator: Operator
) -> None:
    api.put(RESOURCE_CLAIMS, resource_claim(spec=SPEC, owner_uid="uid-attacker"))
    assert await ensure_resource_claim(operator.context, CLAIM, stored_pod(api), None) is Ensured.TAKEN


async def test_an_old_pin_is_removed_only_as_it_was_seen(api: InMemoryApi, operator: Operator) -> None:
    seen = resource_claim_view(typed(api.put(RESOURCE_CLAIMS, resource_claim(spec=OTHER_PIN)), ResourceClaim))
    api.put(RESOURCE_CLAIMS, resource_claim(spec=OTHER_PIN, device=device_name(0, 4)))  # allocated meanwhile
    with pytest.raises(ApiError, match="precondition failed"):
        await ensure_resource_claim(operator.context, CLAIM, stored_pod(api), seen)
    assert len(api.of(RESOURCE_CLAIMS)) == 1


async def test_the_gate_opens(api: InMemoryApi, operator: Operator) -> None:
    view = stored_pod(api)
    assert await open_gate(operator.context, CLAIM, view, "worker-0") is Opened.OPEN
    assert api.of(PODS)[0]["spec"]["schedulingGates"] == []


@pytest.mark.parametrize(("taints", "want"), [(True, [*MINE, OURS]), (False, MINE)])
async def test_who_is_bound_where_plans_taint_their_node_tolerates_it(
    api: InMemoryApi, operator: Operator, taints: bool, want: list[dict[str, str]]
) -> None:
    fed, old = operator.fed, stored_pod(api)
    fed.listed(fed.cluster.nodes, node_object())
    fed.listed(fed.cluster.policies, policy_object(repartition={"taintNode": taints}))
    stored_pod(api, tolerations=MINE)  # it moved on since: what it is now counts
    assert await open_gate(operator.context, CLAIM, old, "worker-0") is Opened.OPEN
    assert api.of(PODS)[0]["spec"]["tolerations"] == want


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        pytest.param({"gates": []}, Opened.ALREADY_OPEN, id="open already"),
        pytest.param({"gates": [GATE, "kueue.x-k8s.io/admission"]}, Opened.WAITING_FOR_GATE, id="another gate"),
    ],
)
async def test_nothing_is_written_where_nothing_may_be(
    api: InMemoryApi, operator: Operator, fields: dict[str, object], want: Opened
) -> None:
    assert await open_gate(operator.context, CLAIM, stored_pod(api, **fields), "worker-0") is want
    assert api.writes == []


async def test_a_pod_that_moved_on_is_read_and_decided_anew(api: InMemoryApi, operator: Operator) -> None:
    old = stored_pod(api)
    stored_pod(api, nodeSelector={"zone": "north"})
    assert await open_gate(operator.context, CLAIM, old, "worker-0") is Opened.OPEN
    assert api.of(PODS)[0]["spec"]["nodeSelector"] == {"zone": "north", "kubernetes.io/hostname": "worker-0"}


async def test_decided_anew_means_that_a_new_gate_is_respected(api: InMemoryApi, operator: Operator) -> None:
    old = stored_pod(api)
    stored_pod(api, gates=["kueue.x-k8s.io/admission", GATE])
    assert await open_gate(operator.context, CLAIM, old, "worker-0") is Opened.WAITING_FOR_GATE


@pytest.mark.parametrize(
    ("error", "times", "want"),
    [
        pytest.param(MOVED_ON, 2, Opened.OPEN, id="a failed test twice"),
        pytest.param(MOVED_ON, 3, Opened.MOVED_ON, id="a failed test three times is enough"),
        pytest.param(REFUSED_BY_VALIDATION, 1, Opened.REFUSED, id="a refusal with causes is final"),
        pytest.param(NotFound(404, "NotFound", "gone"), 1, Opened.POD_GONE, id="the pod is gone"),
    ],
)
async def test_answers_to_the_patch(
    api: InMemoryApi, operator: Operator, error: ApiError, times: int, want: Opened
) -> None:
    view = stored_pod(api)
    api.before_write = refusing("patch pods", error, times)
    assert await open_gate(operator.context, CLAIM, view, "worker-0") is want


async def test_a_successor_of_the_same_name_is_not_opened(api: InMemoryApi, operator: Operator) -> None:
    old = stored_pod(api)
    api.put(PODS, pod(metadata={"uid": "uid-successor"}))
    assert await open_gate(operator.context, CLAIM, old, "worker-0") is Opened.POD_GONE
    assert api.of(PODS)[0]["spec"]["schedulingGates"] == [{"name": GATE}]


async def test_no_answer_is_left_to_the_queue(api: InMemoryApi, operator: Operator) -> None:
    api.before_write = refusing("patch pods", NOT_ANSWERED)
    with pytest.raises(ApiError, match="nobody answers"):
        await open_gate(operator.context, CLAIM, stored_pod(api), "worker-0")


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        pytest.param({"gates": ()}, ["patch pods"], id="on no node yet: its containers will read the new pin"),
        pytest.param({"gates": (), "node": "worker-0"}, [], id="on a node: they may have started"),
        pytest.param({}, [], id="gated: the patch that opens the gate writes it"),
    ],
)
async def test_whose_annotations_follow_a_new_pin(
    api: InMemoryApi, operator: Operator, fields: dict[str, object], want: list[str]
) -> None:
    view = stored_pod(api, annotations=OPTED_IN | ASSIGNED, **fields)
    assert await reassign(operator.context, OTHER, view) is True
    assert api.writes == want
    assert await reassign(operator.context, OTHER, pod_view(typed(api.of(PODS)[0], Pod))) is True
    assert api.writes == want


@pytest.mark.parametrize(
    ("error", "want"),
    [
        pytest.param(MOVED_ON, False, id="it moved on, perhaps to a node"),
        pytest.param(NotFound(404, "NotFound", "gone"), True, id="it is gone: nothing is left to write"),
    ],
)
async def test_answers_to_a_changed_assignment(
    api: InMemoryApi, operator: Operator, error: ApiError, want: bool
) -> None:
    view = stored_pod(api, annotations=OPTED_IN | ASSIGNED, gates=())
    api.before_write = refusing("patch pods", error)
    assert await reassign(operator.context, OTHER, view) is want
