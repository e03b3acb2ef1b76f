from typing import Any

from api.v1beta1 import GPUPartitionClaim
from controller.gpu.identity import PartitionId
from controller.state.group_tenant import GroupTenant, group_tenant
from tests.builders.claim import bound_claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import GIB, bdf
from tests.builders.pod import container, pod

OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "chat", "uid": "uid-chat", "controller": True}
FIRST = PartitionId(bdf(0), 0)


def running(name: str, priority: int = 0, **metadata: Any) -> dict[str, Any]:
    return pod(
        name,
        container(requests={"cpu": "2"}),
        claim="aim-group-chat",
        gates=(),
        node="worker-0",
        phase="Running",
        priority=priority,
        metadata={"ownerReferences": [OWNER]} | metadata,
        nodeSelector={"kubernetes.io/hostname": "worker-0", "zone": "north"},
    )


def tenant(*pods: dict[str, Any]) -> GroupTenant | None:
    """The group of a, of 4 GiB, and b, of 6 GiB, when these pods are there."""
    fed = FedCluster()
    for each in pods:
        fed.put(fed.cluster.pods, each)
    claim = bound_claim("aim-group-chat", phase="Allocated")
    claim["spec"] = {"shareGroup": "chat", "requirement": {"memory": "10Gi", "isolation": "cooperative"}}
    claim["status"]["shares"] = [
        {"pod": {"name": name, "uid": f"uid-{name}"}, "bytes": str(size * GIB)} for name, size in (("b", 6), ("a", 4))
    ]
    return group_tenant(fed.cluster, GPUPartitionClaim.model_validate(claim), FIRST)


def test_a_group_moves_as_one_that_needs_what_all_its_members_have() -> None:
    found = tenant(running("a", 3), running("b", 7))
    assert found is not None
    assert [each.name for each in found.members] == ["a", "b"]
    assert (found.victim.owner, found.victim.claim, found.victim.priority) == ("aim-group-chat", "aim-group-chat", 7)
    asked = found.victim.demand
    assert asked.requirement.bytes == 10 * GIB
    assert (asked.pod.resources.cpu_milli, asked.pod.resources.pods) == (4000, 2)
    assert asked.shared is not None
    assert [dict(each.pod.node_selector) for each in asked.shared.members] == [{"zone": "north"}] * 2


def test_members_that_leave_are_asked_for_no_more_and_their_share_is_needed_again() -> None:
    leaving = running("b", deletionTimestamp="2026-01-01T00:00:00Z")
    found = tenant(running("a"), leaving)
    assert found is not None
    assert [each.name for each in found.members] == ["a"]
    assert found.victim.requirement_bytes == 10 * GIB
    assert tenant(leaving) is None


def test_nobody_founds_a_group_anew_of_which_a_member_has_no_controller() -> None:
    found = tenant(running("a"), running("b", ownerReferences=[]))
    assert found is not None
    assert found.victim.owner == ""
