from collections.abc import Sequence

import pytest

from controller.placement.demand import Demand, Resources, Toleration
from controller.placement.expression import Expression
from controller.placement.filters import expression_matches, kept_for, refuse_node, refuse_partition, tolerates
from controller.placement.snapshot import Awaited, Gpu, Node, Reservation, Snapshot, Taint
from tests.builders.demand import constrained, demand
from tests.builders.gpu import FOREIGN, GIB, OURS, busy, gpu, with_partition
from tests.builders.node import node
from tests.builders.policy import policy_view


def refused(candidate: Node, wanted: Demand) -> str | None:
    found = refuse_node(Snapshot([candidate]), wanted, candidate)
    return None if found is None else found[0]


def sentence(candidate: Node, wanted: Demand) -> str:
    found = refuse_node(Snapshot([candidate]), wanted, candidate)
    assert found is not None
    return found[1]


NODES = [
    pytest.param(node(), None, id="a healthy node with room passes"),
    pytest.param(node(fresh=False), "StaleInventory", id="a node whose agent is silent"),
    pytest.param(node(paused=True), "Paused", id="a paused node"),
    pytest.param(node(policy=policy_view(paused=True)), "Paused", id="a paused policy"),
    pytest.param(node(policy=policy_view(namespaces=frozenset({"team-a"}))), None, id="a policy for our namespace"),
    pytest.param(
        node(policy=policy_view(namespaces=frozenset({"team-b"}))), "PolicyMismatch", id="a policy for others"
    ),
    pytest.param(node(policy=policy_view(namespaces=frozenset())), "PolicyMismatch", id="a policy for nobody"),
    pytest.param(node(plugin_pods=1), "ForeignDevicePluginPods", id="a pod holds GPUs past ResourceClaims"),
    pytest.param(node(ready=False), "NodeNotReady", id="a node that is not Ready"),
    pytest.param(node(unschedulable=True), "NodeCordoned", id="a cordoned node"),
    pytest.param(node(hostname=None), "NodeWithoutHostname", id="a node without a hostname label"),
    pytest.param(node("worker-9"), "NodeExcluded", id="a node that lost a race for this claim"),
    pytest.param(node(taints=[Taint("amd", "", "NoSchedule")]), "TaintNotTolerated", id="a tainted node"),
]


@pytest.mark.parametrize(("candidate", "want"), NODES)
def test_node_checks(candidate: Node, want: str | None) -> None:
    assert refused(candidate, demand(excluded_nodes=frozenset({"worker-9"}))) == want


@pytest.mark.parametrize(
    ("asked", "ruling", "want"),
    [
        pytest.param(None, None, None, id="no wish, no policy"),
        pytest.param(None, "gold", None, id="no wish takes any policy that admits"),
        pytest.param("gold", "gold", None, id="the wish is granted"),
        pytest.param("gold", "silver", "PolicyMismatch", id="another policy rules the node"),
        pytest.param("gold", None, "PolicyMismatch", id="no policy rules the node"),
    ],
)
def test_the_policy_asked_for_must_rule_the_node(asked: str | None, ruling: str | None, want: str | None) -> None:
    candidate = node(policy=policy_view(ruling) if ruling else None)
    assert refused(candidate, demand(policy=asked)) == want


def test_of_a_policy_for_others_neither_name_nor_state_is_told() -> None:
    candidate = node(policy=policy_view("others-secret", namespaces=frozenset({"team-b"}), paused=True))
    found = refuse_node(Snapshot([candidate]), demand(), candidate)
    assert found is not None
    assert found[0] == "PolicyMismatch"
    assert "others-secret" not in found[1]
    assert "namespace team-a" in found[1]


def test_the_first_check_that_refuses_is_named() -> None:
    assert refused(node(fresh=False, ready=False, unschedulable=True), demand()) == "StaleInventory"
    assert refused(node(ready=False, unschedulable=True), demand()) == "NodeNotReady"


DEDICATED = Taint("dedicated", "gpu", "NoSchedule")


@pytest.mark.parametrize(
    ("toleration", "taint", "want"),
    [
        pytest.param(Toleration("dedicated", "Equal", "gpu", "NoSchedule"), DEDICATED, True, id="all four equal"),
        pytest.param(Toleration("dedicated", "Equal", "gpu"), DEDICATED, True, id="no effect means every effect"),
        pytest.param(Toleration("dedicated", "Equal", "cpu"), DEDICATED, False, id="another value"),
        pytest.param(Toleration("dedicated", "Equal"), DEDICATED, False, id="Equal without value is an empty value"),
        pytest.param(Toleration("dedicated", "Equal"), Taint("dedicated", "", "NoSchedule"), True, id="both empty"),
        pytest.param(Toleration("dedicated", "Exists"), DEDICATED, True, id="Exists takes any value"),
        pytest.param(Toleration("other", "Exists"), DEDICATED, False, id="Exists of another key"),
        pytest.param(Toleration("", "Exists"), DEDICATED, True, id="no key with Exists tolerates everything"),
        pytest.param(
            Toleration("", "Exists", effect="NoExecute"), DEDICATED, False, id="everything, of another effect"
        ),
        pytest.param(Toleration("dedicated", "Exists", effect="NoExecute"), DEDICATED, False, id="another effect"),
    ],
)
def test_one_toleration_against_one_taint(toleration: Toleration, taint: Taint, want: bool) -> None:
    assert tolerates(toleration, taint) is want


@pytest.mark.parametrize(
    ("taints", "tolerations", "want"),
    [
        pytest.param(["NoSchedule"], [], "TaintNotTolerated", id="NoSchedule needs a toleration"),
        pytest.param(["NoExecute"], [], "TaintNotTolerated", id="so does NoExecute"),
        pytest.param(["PreferNoSchedule"], [], None, id="PreferNoSchedule is a preference only"),
        pytest.param(["NoSchedule"], ["NoSchedule"], None, id="tolerated"),
        pytest.param(["NoSchedule", "NoExecute"], ["NoSchedule"], "TaintNotTolerated", id="one of two tolerated"),
        pytest.param(["NoSchedule", "NoExecute"], ["NoExecute", "NoSchedule"], None, id="both, by different ones"),
    ],
)
def test_every_taint_must_be_tolerated(taints: Sequence[str], tolerations: Sequence[str], want: str | None) -> None:
    tainted = node(taints=[Taint(f"key-{effect}", "v", effect) for effect in taints])
    granted = tuple(Toleration(f"key-{effect}", "Exists", effect=effect) for effect in tolerations)
    assert refused(tainted, demand(pod=constrained(tolerations=granted))) == want


LABELLED = node("worker-0", labels={"zone": "north", "generation": "3", "odd": "1_0"})


@pytest.mark.parametrize(
    ("expression", "want"),
    [
        pytest.param(Expression("zone", "In", ("north", "south")), True, id="In, one of them"),
        pytest.param(Expression("zone", "In", ("south",)), False, id="In, none of them"),
        pytest.param(Expression("none", "In", ("south",)), False, id="In of an absent label"),
        pytest.param(Expression("zone", "NotIn", ("south",)), True, id="NotIn"),
        pytest.param(Expression("zone", "NotIn", ("north",)), False, id="NotIn, but it is"),
        pytest.param(Expression("none", "NotIn", ("south",)), True, id="NotIn holds for an absent label"),
        pytest.param(Expression("zone", "Exists"), True, id="Exists"),
        pytest.param(Expression("none", "Exists"), False, id="Exists of an absent label"),
        pytest.param(Expression("none", "DoesNotExist"), True, id="DoesNotExist"),
        pytest.param(Expression("zone", "DoesNotExist"), False, id="DoesNotExist of a present label"),
        pytest.param(Expression("generation", "Gt", ("2",)), True, id="Gt"),
        pytest.param(Expression("generation", "Gt", ("3",)), False, id="Gt is strict"),
        pytest.param(Expression("generation", "Lt", ("10",)), True, id="Lt compares numbers, not text"),
        pytest.param(Expression("generation", "Lt", ("3",)), False, id="Lt is strict"),
        pytest.param(Expression("zone", "Gt", ("2",)), False, id="Gt of a label that is no number"),
        pytest.param(Expression("odd", "Gt", ("2",)), False, id="an underscore is no digit, whatever Python says"),
        pytest.param(Expression("generation", "Gt", ()), False, id="Gt without a value"),
        pytest.param(Expression("none", "Lt", ("2",)), False, id="Lt of an absent label"),
        pytest.param(Expression("metadata.name", "In", ("worker-0",), True), True, id="the field metadata.name"),
        pytest.param(Expression("metadata.name", "NotIn", ("worker-0",), True), False, id="not that node"),
    ],
)
def test_one_affinity_expression(expression: Expression, want: bool) -> None:
    assert expression_matches(expression, LABELLED) is want


def test_an_unknown_affinity_operator_stops_loudly() -> None:
    with pytest.raises(ValueError, match="'Near'"):
        expression_matches(Expression("zone", "Near", ("north",)), LABELLED)


NORTH, THIRD = Expression("zone", "In", ("north",)), Expression("generation", "In", ("3",))
SOUTH = Expression("zone", "In", ("south",))


@pytest.mark.parametrize(
    ("terms", "want"),
    [
        pytest.param((), None, id="no terms are no constraint"),
        pytest.param(((NORTH,),), None, id="one term that matches"),
        pytest.param(((NORTH, THIRD),), None, id="all expressions of a term match"),
        pytest.param(((SOUTH, THIRD),), "NodeAffinityMismatch", id="one expression of a term does not"),
        pytest.param(((SOUTH,), (THIRD,)), None, id="any term suffices"),
        pytest.param(((),), "NodeAffinityMismatch", id="an empty term matches nothing"),
        pytest.param(((), (NORTH,)), None, id="an empty term beside one that matches"),
    ],
)
def test_required_node_affinity(terms: tuple[tuple[Expression, ...], ...], want: str | None) -> None:
    assert refused(LABELLED, demand(pod=constrained(affinity=terms))) == want


@pytest.mark.parametrize(
    ("selector", "want"),
    [
        pytest.param((("zone", "north"),), None, id="a label it has"),
        pytest.param((("zone", "south"),), "NodeSelectorMismatch", id="another value"),
        pytest.param((("zone", "north"), ("disk", "ssd")), "NodeSelectorMismatch", id="one of two labels"),
    ],
)
def test_node_selector(selector: tuple[tuple[str, str], ...], want: str | None) -> None:
    assert refused(LABELLED, demand(pod=constrained(node_selector=selector))) == want


ROOM = Resources(cpu_milli=4000, memory_bytes=8 * GIB, pods=10)


@pytest.mark.parametrize(
    ("used", "asked", "want"),
    [
        pytest.param(Resources(), Resources(4000, 8 * GIB, 1), None, id="exactly what there is"),
        pytest.param(
            Resources(1, 0, 0), Resources(4000, 0, 1), "NodeResourcesShort", id="a thousandth of a core short"
        ),
        pytest.param(Resources(0, 1, 0), Resources(0, 8 * GIB, 1), "NodeResourcesShort", id="a byte short"),
        pytest.param(Resources(0, 0, 9), Resources(0, 0, 1), None, id="the last pod slot"),
        pytest.param(Resources(0, 0, 10), Resources(0, 0, 1), "NodeResourcesShort", id="no pod slot"),
        pytest.param(
            Resources(5000, 9 * GIB, 1),
            Resources(0, 0, 1),
            None,
            id="an overcommitted node takes a pod that asks nothing",
        ),
        pytest.param(
            Resources(5000, 0, 1), Resources(0, GIB, 1), None, id="overcommitted CPU does not matter to a pod without"
        ),
    ],
)
def test_cpu_memory_and_pod_slots(used: Resources, asked: Resources, want: str | None) -> None:
    assert refused(node(allocatable=ROOM, used=used), demand(pod=constrained(asked))) == want


@pytest.mark.parametrize(
    ("priority", "uid", "want"),
    [
        pytest.param(5, "uid-other", "NodeResourcesShort", id="of the same priority, who has waited longer"),
        pytest.param(6, "uid-other", "NodeResourcesShort", id="of a higher one"),
        pytest.param(4, "uid-other", None, id="of a lower one"),
        pytest.param(6, "uid-team-a/aim-a", None, id="the claim itself"),
    ],
)
def test_what_is_kept_for_one_that_waits_is_left_to_it(priority: int, uid: str, want: str | None) -> None:
    host = node(allocatable=ROOM, awaited=(Awaited(uid, priority, Resources(4000, 0, 1)),))
    assert refused(host, demand(priority=5, pod=constrained(Resources(1000, 0, 1)))) == want


def test_trial_holders_use_the_nodes_resources_too() -> None:
    candidate = node(allocatable=Resources(1000, GIB, 10))
    snapshot, wanted = Snapshot([candidate]), demand(pod=constrained(Resources(600, 0, 1)))
    snapshot.hold(candidate, candidate.gpus[0].partitions[:1], "team-a/aim-b", Resources(600, 0, 1))
    found = refuse_node(snapshot, wanted, candidate)
    assert found == ("NodeResourcesShort", "node worker-0 has 400m CPU left, the pod requests 600m")


@pytest.mark.parametrize(
    ("candidate", "wanted", "words"),
    [
        pytest.param(node(unschedulable=True), demand(), "kubectl uncordon worker-0", id="cordoned"),
        pytest.param(node(paused=True), demand(), "spec.paused to false", id="paused"),
        pytest.param(node(taints=[DEDICATED]), demand(), "dedicated=gpu:NoSchedule; add a toleration", id="tainted"),
        pytest.param(node(plugin_pods=3), demand(), "3 pods", id="device plugin pods"),
        pytest.param(node(hostname=None), demand(), "kubernetes.io/hostname", id="no hostname"),
    ],
)
def test_sentences_name_the_value_and_what_to_do(candidate: Node, wanted: Demand, words: str) -> None:
    assert words in sentence(candidate, wanted)


def refused_partition(candidate: Gpu, wanted: Demand, index: int = 0, **of_node: object) -> str | None:
    host = node("worker-0", candidate, **of_node)  # type: ignore[arg-type]
    found = refuse_partition(Snapshot([host]), wanted, host, candidate, candidate.partitions[index])
    return None if found is None else found[0]


MI210 = gpu(0, "SPX/NPS1", product="MI210")


def test_a_precision_that_a_gpu_does_not_serve_is_named_with_node_gpu_and_remedy() -> None:
    host = node("worker-0", MI210)
    found = refuse_partition(Snapshot([host]), demand(precision="fp8"), host, MI210, MI210.partitions[0])
    wall = "fp8 needs gfx942 or newer, and the MI210 is gfx90a: choose another product or precision"
    assert found == ("PrecisionUnsupported", f"worker-0 {MI210.bdf} does not serve fp8: {wall}")


@pytest.mark.parametrize(
    ("candidate", "wanted", "want"),
    [
        pytest.param(gpu(), demand(), None, id="a free partition that is large enough"),
        pytest.param(gpu(), demand(modes=["CPX/NPS4", "SPX/NPS1"]), None, id="one of the modes asked for"),
        pytest.param(gpu(), demand(modes=["CPX/NPS1"]), "ModeMismatch", id="another memory mode"),
        pytest.param(gpu(), demand(precision="fp8"), None, id="a precision that it serves"),
        pytest.param(MI210, demand(precision="bf16"), None, id="16 bit on an older GPU"),
        pytest.param(MI210, demand(precision="fp8"), "PrecisionUnsupported", id="8-bit floats on an older GPU"),
        pytest.param(MI210, demand(), None, id="a claim of any precision"),
        pytest.param(
            MI210, demand(modes=["CPX/NPS1"], precision="fp8"), "PrecisionUnsupported", id="no mode would change that"
        ),
        pytest.param(gpu(), demand(gib=24574 / 1024), None, id="exactly its size"),
        pytest.param(gpu(), demand(gib=24574 / 1024 + 1 / GIB), "PartitionTooSmall", id="a byte too small"),
        pytest.param(gpu(unhealthy=[0]), demand(), "PartitionUnhealthy", id="unhealthy"),
        pytest.param(gpu(unhealthy=[1]), demand(), None, id="an unhealthy neighbour"),
        pytest.param(gpu(plan="plan-1"), demand(), "Repartitioning", id="its GPU is being changed"),
        pytest.param(busy(), demand(), "PartitionHeld", id="held by a claim"),
        pytest.param(busy(holder=FOREIGN), demand(), "PartitionHeld", id="held by somebody else"),
        pytest.param(gpu(holders={1: OURS}), demand(), None, id="a neighbour is held"),
    ],
)
def test_partition_checks(candidate: Gpu, wanted: Demand, want: str | None) -> None:
    assert refused_partition(candidate, wanted) == want


@pytest.mark.parametrize(
    ("modes", "want"),
    [
        pytest.param((), None, id="no list allows every mode"),
        pytest.param(("CPX/NPS4",), None, id="listed"),
        pytest.param(("CPX/NPS1", "SPX/NPS1"), "ModeNotAllowed", id="not listed"),
    ],
)
def test_the_policys_modes(modes: tuple[str, ...], want: str | None) -> None:
    assert refused_partition(gpu(), demand(), policy=policy_view(modes=modes)) == want


def test_a_holder_is_never_named() -> None:
    for holder in (OURS, FOREIGN):
        host = node("worker-0", busy(holder=holder))
        found = refuse_partition(Snapshot([host]), demand(), host, host.gpus[0], host.gpus[0].partitions[0])
        assert found is not None
        assert holder.name not in found[1]


QUARANTINED = with_partition(gpu(), 0, quarantined=True)


@pytest.mark.parametrize(
    ("candidate", "index", "want"),
    [
        pytest.param(QUARANTINED, 0, "Quarantined", id="in quarantine, though it looks healthy"),
        pytest.param(QUARANTINED, 1, None, id="its neighbour is not"),
        pytest.param(
            with_partition(gpu(unhealthy=[0]), 0, quarantined=True), 0, "PartitionUnhealthy", id="unhealthy comes first"
        ),
    ],
)
def test_quarantine(candidate: Gpu, index: int, want: str | None) -> None:
    assert refused_partition(candidate, demand(), index) == want


def test_quarantine_says_how_it_ends() -> None:
    host = node("worker-0", QUARANTINED)
    found = refuse_partition(Snapshot([host]), demand(), host, host.gpus[0], host.gpus[0].partitions[0])
    assert found is not None
    assert "remove its entry from spec.quarantine of GPUNode worker-0" in found[1]


@pytest.mark.parametrize(
    ("kept", "wanted", "want"),
    [
        pytest.param(Reservation("rs-1", "7f"), demand(), "Reserved", id="a pod that nobody made"),
        pytest.param(Reservation("rs-1", "7f"), demand(owner="rs-2", template_hash="7f"), "Reserved", id="of another"),
        pytest.param(
            Reservation("rs-1", "7f"), demand(owner="rs-1", template_hash="8a"), "Reserved", id="of another revision"
        ),
        pytest.param(Reservation("rs-1", "7f"), demand(owner="rs-1", template_hash="7f"), None, id="the successor"),
        pytest.param(Reservation("rs-1"), demand(owner="rs-1", template_hash="8a"), None, id="any revision will do"),
        pytest.param(Reservation(""), demand(), None, id="a place kept for pods that nobody made"),
    ],
)
def test_a_kept_place_goes_to_the_successor_alone(kept: Reservation, wanted: Demand, want: str | None) -> None:
    candidate = with_partition(gpu(), 0, reservation=kept)
    assert refused_partition(candidate, wanted) == want
    assert refused_partition(candidate, wanted, 1) is None
    assert kept_for(candidate.partitions[0], wanted) is (want is None)
    assert not kept_for(candidate.partitions[1], wanted)


def test_a_kept_place_that_is_held_again_is_held() -> None:
    kept = with_partition(busy(), 0, reservation=Reservation("rs-1"))
    assert refused_partition(kept, demand(owner="rs-1")) == "PartitionHeld"
