from typing import Any

import pytest

from api.group import SERVICE_LABEL
from controller.binding.shares import Share
from controller.placement.demand import GroupMember, Shared
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Holder, Snapshot
from controller.placement.update import Blocked, Possible, Verdict, Way
from controller.reconcilers.share_group.joining import GroupPartition
from controller.reconcilers.share_group.updates import GroupUpdate, group_verdict
from tests.builders.claim import allocation, claim
from tests.builders.cluster import FedCluster
from tests.builders.demand import demand
from tests.builders.gpu import GIB, gpu
from tests.builders.inference_service import inference_service
from tests.builders.node import node
from tests.builders.pod import pod
from tests.controller.reconcilers.share_group.group import NAME

KEY = "team-a/aim-group-x"
OTHERS = Share("other", 12 * GIB, ((0, 18),))
OLD = Share("old", 4 * GIB, ((19, 24),))
OLD_TOO = Share("old-too", 4 * GIB, ((25, 30),))


def verdict(need: float, *own: Share, pods: int = 1) -> Verdict:
    """For pods of `need` GiB on a partition of 24 GiB, less 16 MiB of eight, of which others have 12."""
    hosts = node("worker-0", gpu(holders={0: Holder("ours", KEY)}))
    snapshot = Snapshot([hosts])
    asked = demand(KEY, need, shared=Shared("chat", (GroupMember(int(need * GIB)),)))
    place = GroupPartition(hosts, hosts.gpus[0].partitions[0])
    update = GroupUpdate(lambda one: ModelScheduler().schedule(snapshot, one), asked, place, [OTHERS, *own])
    return update.verdict(own, pods)


@pytest.mark.parametrize(
    ("need", "own", "pods", "want"),
    [
        pytest.param(6, (OLD,), 1, Way.SURGE, id="beside the old one"),
        pytest.param(10, (OLD,), 1, Way.ONE_BY_ONE, id="in place of the old one"),
        pytest.param(5, (OLD, OLD_TOO), 2, Way.ONE_BY_ONE, id="two one after the other"),
        pytest.param(10, (OLD, OLD_TOO), 1, Way.RECREATE, id="one in place of both"),
    ],
)
def test_the_mildest_way_that_leads_to_the_end(need: float, own: tuple[Share, ...], pods: int, want: Way) -> None:
    assert verdict(need, *own, pods=pods) == Possible(want, ())


def test_what_the_others_leave_too_little_for_is_blocked_and_says_so() -> None:
    found = verdict(13, OLD)
    assert isinstance(found, Blocked)
    assert found.unplaced.reason == "ShareGroupFull"
    assert "share group chat leaves" in found.message


def test_all_new_pods_together_must_fit() -> None:
    assert isinstance(verdict(7, OLD, OLD_TOO, pods=2), Blocked)


COOPERATIVE = {"isolation": "cooperative", "shareGroup": "chat"}


def of_service(sharing: dict[str, Any], need: float) -> Verdict | None:
    """For one pod of service chat, which has 12 GiB of its group; somebody else has 8."""
    fed = FedCluster()
    fed.add_node("worker-0", gpu())
    given = [("mine", 12, "0-17"), ("theirs", 8, "18-29")]
    shares = [
        {"pod": {"name": name, "uid": f"uid-{name}"}, "bytes": size * GIB, "computeUnits": units}
        for name, size, units in given
    ]
    stored = claim(NAME, status={"phase": "Allocated", "allocation": allocation(), "shares": shares})
    stored["spec"] = {"shareGroup": "chat", "requirement": {"memory": "20Gi", "isolation": "cooperative"}}
    fed.put(fed.cluster.claims, stored)
    for name, service in (("mine", "chat"), ("theirs", "other")):
        labels = {"labels": {SERVICE_LABEL: service}}
        fed.put(fed.cluster.pods, pod(name, claim=NAME, gates=(), node="worker-0", metadata=labels))
    snapshot = fed.cluster.snapshot()
    asking = inference_service(gpuSharing=sharing)
    asked = demand("the next revision of team-a/chat", need)
    return group_verdict(
        fed.cluster, snapshot, lambda one: ModelScheduler().schedule(snapshot, one), (asked, 1), asking
    )


def test_only_the_services_own_shares_come_back_to_it() -> None:
    assert of_service(COOPERATIVE, 15) == Possible(Way.ONE_BY_ONE, ())
    assert isinstance(of_service(COOPERATIVE, 20), Blocked)


def test_a_service_that_leaves_its_group_or_goes_to_a_new_one_is_asked_otherwise() -> None:
    assert of_service({}, 4) is None
    assert of_service(COOPERATIVE | {"shareGroup": "new"}, 4) is None
