from dataclasses import replace
from typing import Any

import pytest

from controller.placement.changes.change import ACTORS, RANKS, Kind
from controller.placement.changes.look import Circumstances, Obstacle
from controller.placement.changes.smaller import Smaller
from controller.placement.changes.table import MENDS
from controller.placement.demand import Demand, Resources
from controller.placement.filters import NODE_FILTERS, PARTITION_FILTERS
from controller.placement.nearest import Offer, nearest
from controller.placement.quota import Quota
from controller.placement.snapshot import Gpu, Holder, Node, PolicyView, Snapshot, Taint
from tests.builders.demand import constrained, demand
from tests.builders.gpu import FOREIGN, GIB, full, gpu, with_partition
from tests.builders.node import node
from tests.builders.peers import peer, rules, term

AUTO = PolicyView(name="p", validated_only=False, repartition=True, approval="Auto")
MIB = 1 << 20
MANUAL = replace(AUTO, approval="Manual")
LOW = {"team-b/aim-other": 0, "team-b/aim-second": 3}
NOTHING_MENDS = {
    "PartitionUnhealthy",
    "PrecisionUnsupported",
    "BindingMismatch",
    "NodeExcluded",
    "GuaranteeCapacity",
    "ShareGroupFull",
    "ShareGroupMemberRefused",
}


def offers(*nodes: Node, asked: Demand | None = None, **around: Any) -> tuple[Offer, ...]:
    return nearest(Snapshot(nodes), asked or demand(), Circumstances(**around))


def held(*names: str, mode: str = "CPX/NPS4") -> Gpu:
    """A GPU that is full with one pod each of the names, again and again."""
    taken = Resources(cpu_milli=1000, pods=1)
    return gpu(0, mode, holders={n: Holder("ours", names[n % len(names)] + f"-{n}", taken) for n in range(8)})


ROWS = [
    pytest.param(node(unschedulable=True), demand(), "Uncordon", "kubectl uncordon worker-0", id="a cordoned node"),
    pytest.param(node(paused=True), demand(), "Unpause", "set spec.paused of GPUNode worker-0", id="a paused node"),
    pytest.param(node(policy=replace(AUTO, paused=True)), demand(), "Unpause", "policy p", id="a paused policy"),
    pytest.param(node(ready=False), demand(), "NodeRepair", "has to become Ready", id="a node that is not Ready"),
    pytest.param(node(fresh=False), demand(), "NodeRepair", "the agent of node worker-0", id="a silent agent"),
    pytest.param(node(hostname=None), demand(), "NodeRepair", "label node worker-0", id="a node without hostname"),
    pytest.param(
        node(taints=[Taint("team", "a", "NoSchedule")]), demand(), "Toleration", "team=a:NoSchedule", id="a taint"
    ),
    pytest.param(
        node(taints=[Taint("node.kubernetes.io/unreachable", "", "NoExecute")]),
        demand(), "NodeRepair", "the state that node worker-0 is tainted for", id="a taint of a sick node",
    ),
    pytest.param(
        node(), demand(pod=constrained(node_selector=(("zone", "a"),))),
        "NodeSelector", "take zone=a out of the pod's nodeSelector", id="a selector that no node has",
    ),
    pytest.param(node(), demand(policy="q"), "PolicyRef", "leave out annotation aim.amd.com/policy (q)", id="a policy"),
    pytest.param(
        node(policy=replace(AUTO, namespaces=frozenset())),
        demand(), "Policy", "the policy of node worker-0 has to select namespace team-a", id="another's policy",
    ),
    pytest.param(
        node("worker-0", full(0)), demand(modes=["SPX/NPS1"]), None, "", id="a mode on a GPU that somebody holds"
    ),
    pytest.param(
        node("worker-0", gpu(0, "SPX/NPS1"), policy=replace(MANUAL, repartition=False)),
        demand(modes=["CPX/NPS1"]), "PartitionMode", "leave out annotation aim.amd.com/partition-mode", id="a mode",
    ),
    pytest.param(node(policy=AUTO), demand(gib=90), "ModeChange", "the operator does it by itself", id="a size, auto"),
    pytest.param(
        node(policy=MANUAL), demand(gib=90), "ApproveModeChange", "aim-gpu approve", id="a size, with an approval"
    ),
    pytest.param(
        node(policy=AUTO, reads_only=True),
        demand(gib=90), "Policy", "not permitted: the agent of node worker-0 only reports", id="a size, no agent for it",
    ),
    pytest.param(node(), demand(gib=90), "Policy", "no policy lets the modes of node worker-0", id="a size, no policy"),
    pytest.param(
        node("worker-0", with_partition(full(), 3, holder=None, quarantined=True)),
        demand(), "Quarantine", "0000:01:00.0/3 from spec.quarantine of GPUNode worker-0", id="a quarantine",
    ),
    pytest.param(
        node("worker-0", gpu(0, plan="x")), demand(), "WaitForPlan", "wait for plan x", id="a plan under way"
    ),
    pytest.param(
        node(used=Resources(cpu_milli=127_000)), demand(pod=constrained(Resources(cpu_milli=1500, pods=1))),
        "NodeResources", "needs 500m CPU more that is free", id="a full CPU",
    ),
    pytest.param(
        node(peers=(peer("web"),)), demand(rules=rules("web", repels=(term("web"),))),
        "PodRules", "let the pod only prefer its podAntiAffinity", id="a pod that must be apart",
    ),
    pytest.param(
        node(peers=(peer("db", repels=(term("web"),)),)), demand(rules=rules("web")), None, "", id="kept away by another"
    ),
    pytest.param(node("worker-0", full(holder=FOREIGN)), demand(), None, "", id="what others hold"),
]  # fmt: skip


@pytest.mark.parametrize(("host", "asked", "want_kind", "want_text"), ROWS)
def test_the_nearest_change_is(host: Node, asked: Demand, want_kind: str | None, want_text: str) -> None:
    found = offers(host, asked=asked)
    assert [offer.change.kind for offer in found[:1]] == ([] if want_kind is None else [want_kind])
    assert all(want_text in offer.change.text for offer in found[:1])


def test_of_partitions_in_quarantine_one_that_nobody_holds_is_released() -> None:
    out = with_partition(with_partition(full(), 3, holder=None, quarantined=True), 1, quarantined=True)
    assert offers(node("worker-0", out))[0].choice.placed.partition.id.index == 3


def test_a_pod_of_lower_priority_goes_and_is_not_named() -> None:
    asked, priorities = demand(priority=10), {f"team-b/a-{n}": n for n in range(8)}
    found = offers(node("worker-0", held("team-b/a")), asked=asked, evictable=priorities.get)
    assert found[0].change.text == "evict 1 pod of lower priority from node worker-0"
    assert found[0].choice.placed.partition.id.index == 0, "the one of the lowest priority goes"
    assert not offers(node("worker-0", held("team-b/a")), asked=demand(priority=0), evictable=priorities.get)


def test_as_many_pods_go_as_the_cpu_needs() -> None:
    asked = demand(priority=10, pod=constrained(Resources(cpu_milli=2500, pods=1)))
    host = node("worker-0", held("team-b/a"), allocatable=Resources(8000, 0, 8), used=Resources(8000, 0, 8))
    found = offers(host, asked=asked, evictable=lambda _: 0)
    assert (found[0].change.kind, found[0].change.count) == ("Eviction", 3)


def test_a_claim_of_two_partitions_evicts_two_pods() -> None:
    found = offers(node("worker-0", held("team-b/a")), asked=demand(count=2, priority=10), evictable=lambda _: 0)
    assert (found[0].change.kind, found[0].change.count) == ("Eviction", 2)


def test_less_of_the_model_is_offered_and_the_least_loss_first() -> None:
    asked = demand(gib=90)
    ways = [
        Smaller(Kind.LENGTH, "maxModelLen", value, lost, replace(asked.requirement, bytes=int(gib * 2**30)))
        for value, lost, gib in (("4096", 500, 30), ("2048", 750, 20), ("1024", 875, 15))
    ]
    found = offers(node(), asked=asked, smaller=lambda _: ways)
    assert found[0].change.text == "set maxModelLen to 2048"


def test_a_change_that_has_to_wait_says_what_for() -> None:
    found = offers(node(policy=AUTO), asked=demand(gib=90), obstacle=lambda _: Obstacle("it rests", passing=True))
    assert found[0].change.text.endswith("not before: it rests")


def limited(most: int, *gpus: Gpu, name: str = "worker-0") -> Node:
    """A node under a policy that gives team-a so many GiB; it has 30 of them there."""
    policy = replace(AUTO, repartition=False, quotas={"team-a": Quota(most=most * GIB)})
    return node(name, *gpus, policy=policy, claimed={"team-a": 30 * GIB})


def test_a_quota_is_raised_as_little_as_will_do() -> None:
    found = offers(limited(40, gpu(0, "SPX/NPS1"), gpu(1, "DPX/NPS1"), gpu(2, "QPX/NPS1")), asked=demand(gib=30))
    assert [offer.change.kind for offer in found] == ["Quota"]
    assert found[0].change.text == "raise the max of namespace team-a in spec.quotas of policy p from 40Gi to 79868Mi"
    assert str(found[0].choice.placed.mode) == "QPX/NPS1", "the smallest that fits; 30 GiB are used"


def test_a_quota_counts_all_partitions_of_a_pod_and_what_the_namespace_has_on_other_nodes() -> None:
    found = offers(limited(40, gpu()), limited(40, full(), name="worker-1"), asked=demand(count=2))
    assert found[0].change.text.endswith("from 40Gi to 110588Mi"), "2 x 30 GiB are used, 2 x 24574 MiB asked"


def test_a_raised_quota_holds_on_every_node_of_the_policy() -> None:
    hosts = limited(40, full()), limited(40, gpu(), name="worker-1"), node("worker-2", full())
    (offer,) = offers(*hosts)
    made, _ = offer.change.made(Snapshot(hosts), demand())
    assert [each.policy and each.policy.quota("team-a").most for each in made.nodes] == [86014 * MIB] * 2 + [None]


def test_no_quota_helps_where_a_larger_partition_is_held_or_the_quota_is_anothers() -> None:
    assert not offers(limited(40, full()))
    policy = replace(AUTO, repartition=False, quotas={"team-b": Quota(most=0)})
    assert not offers(node("worker-0", full(), policy=policy))


def test_one_of_the_namespaces_own_gives_its_quota_back_when_it_goes() -> None:
    taken = Resources(cpu_milli=1000, pods=1)
    host = limited(40, gpu(0, holders={0: Holder("ours", "team-a/aim-own", taken)}))
    found = offers(host, asked=demand(gib=20, priority=5), evictable=lambda _: 0)
    assert [offer.change.kind for offer in found] == ["Eviction", "Quota"]


def test_an_idle_gpu_in_smaller_partitions_may_be_within_the_quota() -> None:
    policy = replace(AUTO, quotas={"team-a": Quota(most=50 * GIB)})
    found = offers(node("worker-0", gpu(0, "SPX/NPS1"), policy=policy))
    assert found[0].change.kind == "ModeChange"
    assert str(found[0].choice.placed.mode) == "CPX/NPS1"


def test_of_nodes_that_one_change_opens_the_place_is_named_that_the_scheduler_takes() -> None:
    asked = demand(pod=constrained(node_selector=(("zone", "a"),)))
    found = offers(node("worker-0", gpu(0, "SPX/NPS1")), node("worker-1"), asked=asked)
    assert found[0].choice.placed.node.name == "worker-1"


def test_the_cheapest_node_is_taken_and_every_kind_once() -> None:
    hosts = [node("worker-0", ready=False), node("worker-1", unschedulable=True), node("worker-2", ready=False)]
    assert [(o.change.kind, o.change.target) for o in offers(*hosts)] == [
        ("Uncordon", "node worker-1"),
        ("NodeRepair", "kubelet of node worker-0"),
    ]


def test_on_many_nodes_the_cheapest_is_found_as_well() -> None:
    hosts = [node(f"worker-{n:03}", ready=False) for n in range(100)]
    found = offers(*hosts, node("worker-999", unschedulable=True))
    assert found[0].change.kind == "Uncordon"


def test_every_kind_has_a_rank_and_an_actor() -> None:
    assert set(RANKS) == set(ACTORS) == set(Kind)


def test_every_reason_of_a_filter_has_a_row_or_nothing_mends_it() -> None:
    reasons = {reason for reason, _ in (*NODE_FILTERS, *PARTITION_FILTERS)}
    assert reasons - set(MENDS) == NOTHING_MENDS
