from dataclasses import replace
from typing import Any

import pytest

from controller.gpu.mode import Mode
from controller.placement.decision import Decision, Placed, Unplaced
from controller.placement.demand import Demand, GroupMember, GroupPlace, Resources, Shared, Toleration
from controller.placement.expression import Expression
from controller.placement.quota import Quota
from controller.placement.scheduler import ModelScheduler
from controller.placement.share_group import MOST_MEMBERS, Candidate, compatible
from controller.placement.snapshot import Gpu, Holder, Node, Snapshot, Taint
from controller.sizing.precision import Precision
from tests.builders.demand import constrained, demand
from tests.builders.gpu import GIB, full, gpu
from tests.builders.node import node
from tests.builders.policy import policy_view

KEY = "team-a/aim-group-x"


def founders(*sizes: float, least: float = 0, **fields: Any) -> Demand:
    """A group whose waiting members need so many GiB."""
    members = tuple(GroupMember(int(size * GIB), pod=constrained()) for size in sizes)
    return demand(KEY, sum(sizes), shared=Shared("chat", members, int(least * GIB)), **fields)


def joiner(size: float, left: float, *, units: int | None = 9, pods: int = 8, index: int = 2) -> Demand:
    """One that would join the group on partition `index` of the first GPU of worker-0."""
    place = GroupPlace("worker-0", gpu().partitions[index].id, int(left * GIB), units, pods)
    return demand(KEY, size, shared=Shared("chat", (GroupMember(int(size * GIB)),), place=place))


def held(index: int = 2) -> Node:
    """A node on which the group has that partition."""
    return node("worker-0", gpu(holders={index: Holder("ours", KEY)}))


def decide(asked: Demand, *nodes: Node) -> Decision:
    return ModelScheduler().schedule(Snapshot(nodes or (held(),)), asked)


def size_of(decision: Decision) -> float:
    assert isinstance(decision, Placed), decision
    return round(decision.partition.bytes / GIB)


def test_members_that_wait_together_get_the_smallest_partition_for_all() -> None:
    nodes = node("worker-0", gpu(0), gpu(1, "QPX/NPS4"), gpu(2, "SPX/NPS1"))
    assert size_of(decide(founders(8, 8, 8, 8), nodes)) == 48


def test_where_not_all_fit_as_many_of_the_first_as_do_found_the_group() -> None:
    assert size_of(decide(founders(10, 10, 10, 10, 10), node("worker-0", gpu(0), gpu(1, "QPX/NPS4")))) == 48


def test_one_member_too_large_for_any_partition_does_not_keep_those_before_it_waiting() -> None:
    assert size_of(decide(founders(8, 8, 300), node("worker-0", gpu()))) == 24


def test_without_room_for_the_first_member_the_reason_is_what_it_alone_lacks() -> None:
    decision = decide(founders(8, 8), node("worker-0", full()))
    assert isinstance(decision, Unplaced)
    assert decision.reason == "NoFreePartition"
    assert "take 8.0 GiB" in decision.message


def test_what_a_member_wants_at_least_counts_for_the_whole_partition() -> None:
    nodes = node("worker-0", gpu(0), gpu(1, "QPX/NPS4"))
    assert size_of(decide(founders(8, least=40), nodes)) == 48


def test_the_node_must_have_cpu_for_all_founders_together() -> None:
    asked = constrained(Resources(cpu_milli=3000, pods=1))
    members = (GroupMember(GIB, pod=asked), GroupMember(GIB, pod=asked))
    small = node("worker-0", gpu(0), allocatable=Resources(4000, 64 * GIB, 10))
    large = node("worker-1", gpu(0), allocatable=Resources(8000, 64 * GIB, 10))
    decision = decide(demand(KEY, 2, shared=Shared("chat", members)), small, large)
    assert isinstance(decision, Placed)
    assert decision.node.name == "worker-1"


def test_the_node_must_take_every_founder() -> None:
    tainted = node("worker-0", gpu(), taints=(Taint("team", "a", "NoSchedule"),))
    tolerant = constrained(tolerations=(Toleration("team", "Exists"),))
    members = (GroupMember(GIB, pod=tolerant), GroupMember(GIB))
    asked = replace(demand(KEY, 2, shared=Shared("chat", members)), pod=tolerant)
    decision = decide(asked, tainted, node("worker-1", gpu()))
    assert isinstance(decision, Placed)
    assert decision.node.name == "worker-1"


def test_the_node_must_match_the_affinity_of_every_founder() -> None:
    choosy = constrained(affinity=((Expression("zone", "In", ("b",)),),))
    asked = demand(KEY, 2, shared=Shared("chat", (GroupMember(GIB), GroupMember(GIB, pod=choosy))))
    decision = decide(asked, node("worker-0", gpu()), node("worker-1", gpu(), labels={"zone": "b"}))
    assert isinstance(decision, Placed)
    assert decision.node.name == "worker-1"


def test_the_gpu_must_serve_the_precision_of_every_founder() -> None:
    members = (GroupMember(GIB, Precision.BF16), GroupMember(GIB, Precision.FP8))
    nodes = node("worker-0", gpu(product="MI210", mode="SPX/NPS1")), node("worker-1", gpu())
    decision = decide(demand(KEY, 2, precision="bf16", shared=Shared("chat", members)), *nodes)
    assert isinstance(decision, Placed)
    assert decision.node.name == "worker-1"


def test_who_joins_goes_where_the_group_is() -> None:
    decision = decide(joiner(6, left=8), held(), node("worker-1", gpu()))
    assert isinstance(decision, Placed)
    assert (decision.node.name, decision.partition.id.index) == ("worker-0", 2)


@pytest.mark.parametrize(
    ("asked", "want"),
    [
        pytest.param(joiner(6, left=5), "leaves 5.0 GiB, 9 compute units", id="memory"),
        pytest.param(joiner(6, left=8, units=0), "0 compute units", id="compute units"),
        pytest.param(joiner(6, left=8, units=None, pods=0), "and 0 places", id="pods"),
    ],
)
def test_a_full_group_takes_nobody_though_other_partitions_are_free(asked: Demand, want: str) -> None:
    decision = decide(asked, held(), node("worker-1", gpu()))
    assert isinstance(decision, Unplaced)
    assert decision.reason == "ShareGroupFull"
    assert want in decision.message
    assert "name another group" in decision.message


@pytest.mark.parametrize(
    ("guaranteed", "left", "joins"),
    [
        pytest.param(3, 3, True, id="as much as is left"),
        pytest.param(4, 3, False, id="more than is left"),
        pytest.param(0, 0, True, id="nothing, where nothing is left"),
        pytest.param(0, -2, True, id="nothing, where too much is promised already"),
        pytest.param(1, -2, False, id="something, where too much is promised already"),
        pytest.param(9, None, True, id="anything, where nothing bounds it"),
    ],
)
def test_nobody_is_promised_what_the_others_were(guaranteed: int, left: int | None, joins: bool) -> None:
    asked = joiner(6, left=8)
    assert asked.shared is not None
    assert asked.shared.place is not None
    members = (GroupMember(6 * GIB, guaranteed=guaranteed),)
    place = replace(asked.shared.place, left_guarantees=left)
    decision = decide(replace(asked, shared=replace(asked.shared, members=members, place=place)))
    if joins:
        assert isinstance(decision, Placed)
        return
    assert isinstance(decision, Unplaced)
    assert decision.reason == "GuaranteeCapacity"
    assert f"can promise {max(0, left or 0)} more requests in flight" in decision.message
    assert f"minConcurrency {guaranteed} is asked for" in decision.message


def test_who_joins_passes_the_checks_of_its_node_too() -> None:
    decision = decide(joiner(6, left=8), replace(held(), unschedulable=True), node("worker-1", gpu()))
    assert isinstance(decision, Unplaced)
    assert decision.reason == "NodeCordoned"


def test_who_joins_takes_nothing_more_of_a_quota_that_its_group_has_used_up() -> None:
    full = policy_view(quotas={"team-a": Quota(most=gpu().partitions[0].bytes)})
    group = replace(held(), policy=full, claimed={"team-a": gpu().partitions[0].bytes})
    assert isinstance(decide(joiner(6, left=8), group), Placed)
    refused = decide(founders(6), group)
    assert isinstance(refused, Unplaced)
    assert refused.reason == "QuotaExceeded"


def test_a_place_that_is_there_no_more_is_told() -> None:
    changed: Gpu = gpu(mode="SPX/NPS1")
    decision = decide(joiner(6, left=8), node("worker-0", changed))
    assert isinstance(decision, Unplaced)
    assert decision.reason == "PartitionGone"
    gone = decide(joiner(6, left=8), node("worker-1", gpu()))
    assert isinstance(gone, Unplaced)
    assert gone.reason == "NodeGone"


def candidate(*modes: str, policy: str | None = None) -> Candidate:
    return Candidate(frozenset(map(Mode.parse, modes)), policy)


def test_members_share_by_the_modes_and_the_policy_of_those_before_them() -> None:
    both, one, other = candidate("CPX/NPS4", "QPX/NPS4"), candidate("QPX/NPS4"), candidate("CPX/NPS4")
    assert compatible([candidate(), both, one, other, candidate(), candidate(policy="gold")]) == (0, 1, 2, 4)


def test_a_group_has_no_more_members_than_a_resource_claim_takes_pods() -> None:
    assert len(compatible([candidate()] * (MOST_MEMBERS + 5))) == MOST_MEMBERS
