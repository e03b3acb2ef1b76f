from datetime import UTC, datetime

import pytest

from api.v1beta1.gpu_partition_claim import Nomination
from controller.placement.demand import Demand, GroupMember, Shared
from controller.placement.scheduler import ModelScheduler
from controller.reconcilers.gpu_partition_claim.nominating import SHARES, Nominating
from tests.builders.claim import allocation, claim
from tests.builders.cluster import FedCluster
from tests.builders.demand import demand
from tests.builders.gpu import gpu
from tests.builders.pod import pod

GROUP = Shared("chat", (GroupMember(1 << 30),))
LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def nominating() -> Nominating:
    """A node of two partitions, one of which a pod of low priority holds."""
    fed, whole = FedCluster(), gpu(0, "DPX/NPS1")
    fed.add_node("worker-0", whole)
    fed.put(fed.cluster.pods, pod("model-0", node="worker-0", gates=(), phase="Running"))
    fed.put(fed.cluster.claims, claim(status={"phase": "Bound", "allocation": allocation(of=whole)}))
    return Nominating(fed.cluster, ModelScheduler(), fed.cluster.snapshot(), now=LATER)


def urgent(shared: Shared | None) -> Demand:
    return demand("urgent", 1, count=2, priority=9, shared=shared)


def test_pods_leave_for_a_claim_of_higher_priority_and_for_no_share_group(nominating: Nominating) -> None:
    assert nominating.preempt(urgent(GROUP)) is SHARES
    assert isinstance(nominating.preempt(urgent(None)), Nomination)


def test_no_place_is_kept_for_a_share_group_that_has_waited_long(nominating: Nominating) -> None:
    assert nominating.reserve(urgent(GROUP)) is None
    assert nominating.reserve(urgent(None)) is not None
