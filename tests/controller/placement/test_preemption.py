from dataclasses import replace
from typing import Any

import pytest

from controller.placement.demand import Demand, Resources
from controller.placement.occupant import Occupant
from controller.placement.preemption import NoVictims, Preemption, Preemptor
from controller.placement.quota import Quota
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Node, Snapshot
from tests.builders.demand import constrained, demand
from tests.builders.gpu import FOREIGN, GIB, gpu
from tests.builders.node import node
from tests.builders.occupant import occupant
from tests.builders.occupied import claimed, held_by, occupied, taken
from tests.builders.plugin import plugin_demand, plugin_node
from tests.builders.policy import policy_view

QPX = gpu(0, "QPX/NPS1").partitions[0].bytes
URGENT = {"priority": 10}


def find(wanted: Demand, *hosts: tuple[Node, list[Occupant]]) -> Preemption | NoVictims:
    snapshot = Snapshot(host for host, _ in hosts)
    return Preemptor(ModelScheduler(), snapshot, [each for _, there in hosts for each in there]).find(wanted)


def names(found: Preemption | NoVictims) -> list[str]:
    assert isinstance(found, Preemption), found
    return [each.pod for each in found.victims]


def urgent(gib: float = 40, **fields: Any) -> Demand:
    return demand("urgent", gib, **URGENT | fields)


def test_the_pod_of_lowest_priority_leaves_and_its_place_is_the_demands() -> None:
    found = find(urgent(), occupied("worker-0", 3, 1, 2, 5))
    assert names(found) == ["worker-0-1"]
    assert isinstance(found, Preemption)
    assert found.placed.ids == (found.placed.node.gpus[0].partitions[1].id,)
    assert not found.reclaims


def test_fewer_victims_come_before_lower_priorities() -> None:
    pair = occupant("pair", priority=9, bytes=4 * QPX)
    whole = node("worker-0", held_by(gpu(0, "QPX/NPS1"), pair, pair, pair, pair))
    assert names(find(urgent(40, count=2), (whole, [pair]), occupied("worker-1", 0, 0, 0, 0))) == ["pair"]


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        pytest.param({"ready": False}, "worker-0-2", id="one that does not serve before one that does"),
        pytest.param({"created_seconds": 5.0}, "worker-0-2", id="the youngest"),
        pytest.param({"created_seconds": -5.0}, "worker-0-0", id="not the oldest"),
        pytest.param({"owned": False}, "worker-0-0", id="not the one that nobody makes anew"),
    ],
)
def test_of_one_priority_the_cheapest_leaves(changes: dict[str, Any], want: str) -> None:
    host, there = occupied("worker-0", 0, 0, 0, 0)
    assert names(find(urgent(), (host, [*there[:2], replace(there[2], **changes), there[3]]))) == [want]


def test_of_two_products_the_smaller_partition_goes() -> None:
    small, large = occupied("worker-1", 0, 0, 0, 0), occupied("worker-0", 0, mode="SPX/NPS1")
    assert names(find(urgent(), small, large)) == ["worker-1-0"]


@pytest.mark.parametrize(
    ("priority", "preempts", "want"),
    [
        pytest.param(0, True, "NobodyToPreempt", id="the same priority"),
        pytest.param(-1, True, "NobodyToPreempt", id="a lower one"),
        pytest.param(10, False, "PreemptionNever", id="preemptionPolicy Never"),
    ],
)
def test_nobody_leaves(priority: int, preempts: bool, want: str) -> None:
    found = find(urgent(priority=priority, preempts=preempts), occupied("worker-0", 0, 0, 0, 0))
    assert isinstance(found, NoVictims)
    assert found.reason == want


def test_foreign_holders_never_leave() -> None:
    whole = held_by(gpu(0, "SPX/NPS1"), FOREIGN)
    assert isinstance(find(urgent(), (node("worker-0", whole), [])), NoVictims)


def test_those_that_may_not_be_moved_stay() -> None:
    host, there = occupied("worker-0", 0, 0, 0, 0)
    found = find(urgent(), (host, [replace(each, movable=False) for each in there]))
    assert isinstance(found, NoVictims)


def test_victims_that_would_not_be_enough_are_left_alone() -> None:
    found = find(urgent(count=3), occupied("worker-0", 0, 0, 50, 50))
    assert isinstance(found, NoVictims)
    assert found.reason == "PreemptionFutile"


def test_whoever_asks_for_more_than_a_partition_drives_nobody_out() -> None:
    found = find(urgent(100), occupied("worker-0", 0, 0, 0, 0))
    assert isinstance(found, NoVictims)
    assert found.reason == "PreemptionFutile"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"paused": True}, id="paused node"),
        pytest.param({"fresh": False}, id="silent agent"),
        pytest.param({"policy": policy_view(paused=True)}, id="paused policy"),
        pytest.param({"policy": policy_view(max_unavailable_pods=0)}, id="a budget of none"),
        pytest.param({"unschedulable": True}, id="cordoned node"),
        pytest.param({"gpus": (replace(gpu(0, "QPX/NPS1"), plan="p"),)}, id="a plan changes the node"),
    ],
)
def test_nobody_is_disturbed_where_nothing_may_be_bound(changes: dict[str, Any]) -> None:
    host, there = occupied("worker-0", 0, 0, 0, 0)
    if "gpus" in changes:
        changes = {"gpus": tuple(replace(each, plan="p") for each in host.gpus)}
    assert isinstance(find(urgent(), (replace(host, **changes), there)), NoVictims)


def test_a_place_that_is_being_left_is_awaited_and_nobody_else_leaves() -> None:
    host, there = occupied("worker-0", 0, 0, 0, 0)
    found = find(urgent(), (host, [there[0], replace(there[1], leaving=True), *there[2:]]))
    assert names(found) == []


def test_pods_whose_eviction_was_refused_are_spared_where_others_will_do() -> None:
    host, there = occupied("worker-0", 0, 0, 5, 5)
    some = [replace(each, refused=each.priority == 0) for each in there]
    assert names(find(urgent(), (host, some))) == ["worker-0-2"]
    found = find(urgent(), (host, [replace(each, refused=True) for each in there]))
    assert isinstance(found, NoVictims)
    assert found.reason == "EvictionRefused"


def test_for_cpu_somebody_leaves_who_has_another_partition() -> None:
    host, there = occupied("worker-0", 0, 0, None, None, used=Resources(2000, 0, 2))
    full = replace(host, allocatable=Resources(2500, 1 << 40, 110))
    found = find(urgent(pod=constrained(Resources(1500, 0, 1))), (full, there))
    assert names(found) == ["worker-0-0"]


def test_several_partitions_take_as_many_as_are_not_free() -> None:
    assert names(find(urgent(count=3), occupied("worker-0", 2, 1, None, 3))) == ["worker-0-1", "worker-0-0"]


def test_one_pod_of_two_partitions_leaves_rather_than_two_pods() -> None:
    pair, single = occupant("pair", priority=5, bytes=2 * QPX), [occupant("s-0", bytes=QPX), occupant("s-1", bytes=QPX)]
    host = node("worker-0", held_by(gpu(0, "QPX/NPS1"), single[0], pair, pair, single[1]))
    assert names(find(urgent(count=2), (host, [pair, *single]))) == ["pair"]


def test_where_the_device_plugin_hands_gpus_out_devices_are_counted() -> None:
    there = [occupant(f"p-{n}") for n in range(8)]
    host = plugin_node("worker-0", held_by(gpu(), *there), used=taken(there))
    assert names(find(plugin_demand("urgent", priority=10), (host, there))) == ["p-0"]


def test_whether_they_may_still_be_made_to_leave_is_asked_again_before_each_goes() -> None:
    host, there = occupied("worker-0", 0, 0, 0, 0)

    def still(wanted: Demand, everybody: list[Occupant], *uids: str) -> bool:
        return Preemptor(ModelScheduler(), Snapshot([host]), everybody).still_right(wanted, "worker-0", uids)

    assert still(urgent(), there, "uid-worker-0-1")
    assert still(urgent(), [there[0], replace(there[1], leaving=True), *there[2:]], "uid-worker-0-1")
    assert not still(urgent(priority=0), there, "uid-worker-0-1")
    assert not still(urgent(count=2), there, "uid-worker-0-1")
    assert not still(urgent(preempts=False), there, "uid-worker-0-1")


# gangs


def together(
    host: tuple[Node, list[Occupant]], *wanted: Demand, by_right: bool = True
) -> dict[str, list[str]] | NoVictims:
    snapshot = Snapshot([host[0]])
    found = Preemptor(ModelScheduler(), snapshot, host[1]).together(wanted, by_right=by_right)
    assert not snapshot.trial_nodes
    if isinstance(found, NoVictims):
        return found
    assert len({one.placed.partition.id for _, one in found}) == len(wanted)
    return {each.key: [victim.pod for victim in one.victims] for each, one in found}


def ranks(count: int, **fields: Any) -> list[Demand]:
    return [demand(f"rank-{n}", 40, **URGENT | fields) for n in range(count)]


def test_for_a_gang_as_many_leave_as_its_members_need_together() -> None:
    found = together(occupied("worker-0", 3, None, 1, 2), *ranks(3))
    assert found == {
        "team-a/rank-0": [],
        "team-a/rank-1": ["worker-0-2"],
        "team-a/rank-2": ["worker-0-3"],
    }


def test_for_a_gang_of_which_one_member_would_find_no_place_nobody_leaves() -> None:
    assert isinstance(together(occupied("worker-0", 0, 0, 50, 50), *ranks(3)), NoVictims)


def test_a_gang_without_rights_waits_for_those_that_leave_by_themselves() -> None:
    equals = ranks(2, priority=0)
    assert isinstance(together(occupied("worker-0", 0, 0, 0, 0), *equals), NoVictims)
    assert not isinstance(together(occupied("worker-0", 0, 0, 0, 0), *equals, by_right=False), NoVictims)


# quotas


def shared(**quotas: Quota) -> dict[str, Any]:
    return {"policy": policy_view(quotas={name.replace("_", "-"): quota for name, quota in quotas.items()})}


def test_what_is_promised_is_taken_back_from_borrowers_of_any_priority_the_lowest_first() -> None:
    found = find(demand("mine", 40), occupied("worker-0", 9, 7, 8, 9, **shared(team_a=Quota(least=2 * QPX))))
    assert names(found) == ["worker-0-1"]
    assert isinstance(found, Preemption)
    assert found.reclaims


def test_of_borrowers_of_one_priority_the_youngest_gives_back() -> None:
    host, there = occupied("worker-0", 0, 0, 0, 0, **shared(team_a=Quota(least=QPX)))
    aged = [replace(each, created_seconds=float(n)) for n, each in enumerate(there)]
    assert names(find(demand("mine", 40), (host, aged))) == ["worker-0-3"]


def test_no_more_is_taken_back_than_is_promised() -> None:
    quotas = shared(team_a=Quota(least=2 * QPX))
    mine = occupant("mine", namespace="team-a", bytes=QPX, priority=3)
    others = [occupant(f"o-{n}", bytes=QPX) for n in range(3)]
    everybody = [mine, *others]
    host = node(
        "worker-0", held_by(gpu(0, "QPX/NPS1"), *everybody), claimed=claimed(everybody), used=taken(everybody), **quotas
    )
    assert len(names(find(demand("second", 40), (host, everybody)))) == 1
    assert isinstance(find(demand("third", 40, count=2), (host, everybody)), NoVictims)


def test_a_promise_is_not_kept_by_a_larger_partition_than_is_promised() -> None:
    assert isinstance(
        find(demand("mine", 40), occupied("worker-0", 0, mode="SPX/NPS1", **shared(team_a=Quota(least=QPX)))), NoVictims
    )


def test_nor_by_one_while_only_a_place_that_nobody_can_leave_is_as_small_as_is_promised() -> None:
    """The small partitions are foreign, so that the borrower of the whole GPU would have to go for them."""
    host, there = occupied("worker-0", 0, mode="SPX/NPS1", **shared(team_a=Quota(least=QPX)))
    small = held_by(gpu(1, "QPX/NPS1"), *[FOREIGN] * 4)
    assert isinstance(find(demand("mine", 40), (replace(host, gpus=(*host.gpus, small)), there)), NoVictims)


def test_what_others_are_promised_is_never_taken_back() -> None:
    quotas = shared(team_a=Quota(least=QPX), team_b=Quota(least=4 * QPX))
    assert isinstance(find(demand("mine", 40), occupied("worker-0", 0, 0, 0, 0, **quotas)), NoVictims)
    quotas = shared(team_a=Quota(least=QPX), team_b=Quota(least=3 * QPX))
    host, there = occupied("worker-0", 0, 0, 0, 0, **quotas)
    aged = [replace(each, created_seconds=float(n)) for n, each in enumerate(there)]
    assert names(find(demand("mine", 40), (host, aged))) == ["worker-0-3"]


def test_priority_takes_nothing_that_is_promised_from_who_is_promised_nothing() -> None:
    quotas = shared(team_b=Quota(least=3 * QPX))
    assert names(find(urgent(), occupied("worker-0", 0, 1, 2, 3, **quotas))) == ["worker-0-0"]
    host, there = occupied("worker-0", 0, 1, 2, **quotas)
    crowded = replace(host, gpus=(held_by(host.gpus[0], *there, FOREIGN),))
    assert isinstance(find(urgent(), (crowded, there)), NoVictims)


def test_within_a_namespace_priority_decides_whatever_is_promised() -> None:
    quotas = shared(team_a=Quota(least=4 * QPX))
    assert names(find(urgent(), occupied("worker-0", 0, 1, 2, 3, namespace="team-a", **quotas))) == ["worker-0-0"]


def test_at_its_max_a_namespace_gives_up_its_own_less_important_pod_wherever_that_is() -> None:
    quotas = shared(team_a=Quota(most=2 * QPX))
    mine, theirs = occupied("worker-0", 5, 5, namespace="team-a", **quotas), occupied("worker-1", **quotas)
    found = find(urgent(), mine, theirs)
    assert len(names(found)) == 1


def elsewhere(**node_fields: Any) -> Preemption | NoVictims:
    """What is found at the max for a large claim: only worker-1 has the GPU, and what would be given up is elsewhere."""
    quotas = shared(team_a=Quota(most=200 * GIB))
    host, there = occupied("worker-0", 5, namespace="team-a", **quotas)
    return find(
        urgent(150), (replace(host, **node_fields), there), (node("worker-1", gpu(0, "SPX/NPS1"), **quotas), [])
    )


def test_for_a_free_gpu_beyond_the_max_a_pod_of_another_node_is_given_up() -> None:
    assert names(elsewhere()) == ["worker-0-0"]


def test_nobody_is_given_up_on_a_node_whose_agent_is_silent() -> None:
    assert isinstance(elsewhere(fresh=False), NoVictims)


def test_where_the_quota_is_short_a_pod_of_the_namespace_goes_and_not_a_cheaper_one_of_anothers() -> None:
    quotas = shared(team_a=Quota(most=QPX))
    mine, theirs = occupant("mine", namespace="team-a", priority=5, bytes=QPX), occupant("theirs", bytes=QPX)
    whole = held_by(gpu(0, "QPX/NPS1"), mine, theirs)
    host = node("worker-0", whole, claimed=claimed([mine, theirs]), used=taken([mine, theirs]), **quotas)
    assert names(find(urgent(), (host, [mine, theirs]))) == ["mine"]


def test_nobody_leaves_a_node_of_which_a_gpu_is_being_changed() -> None:
    host, there = occupied("worker-0", 0, 0, 0, 0)
    changing = replace(host, gpus=(*host.gpus, gpu(1, "QPX/NPS1", plan="a-plan")))
    assert isinstance(find(urgent(), (changing, there)), NoVictims)


def test_never_means_that_nothing_is_taken_back_either() -> None:
    quotas = shared(team_a=Quota(least=4 * QPX))
    assert isinstance(find(demand("mine", 40, preempts=False), occupied("worker-0", 0, 0, 0, 0, **quotas)), NoVictims)


def test_the_snapshot_is_as_it_was() -> None:
    host, there = occupied("worker-0", 0, 0, 0, 0, **shared(team_a=Quota(least=QPX)))
    snapshot = Snapshot([host])
    before = [snapshot.holder(n, p) for n, _, p in snapshot.partitions()], snapshot.quota_used("shared", "team-b")
    Preemptor(ModelScheduler(), snapshot, there).find(urgent())
    after = [snapshot.holder(n, p) for n, _, p in snapshot.partitions()], snapshot.quota_used("shared", "team-b")
    assert after == before


def test_sixty_four_claims_of_one_kind_cost_few_trials() -> None:
    host, there = _crowded()
    counted = _Counting()
    found = Preemptor(counted, Snapshot([host]), there).find(urgent(20, count=20))
    assert len(names(found)) == 20
    assert counted.calls < 64


class _Counting(ModelScheduler):
    calls = 0

    def schedule(self, snapshot: Snapshot, demand: Demand) -> Any:
        self.calls += 1
        return super().schedule(snapshot, demand)


def _crowded() -> tuple[Node, list[Occupant]]:
    gpus, there = [], []
    for number in range(8):
        claims = [occupant(f"c-{number}-{n}", bytes=24 * GIB) for n in range(8)]
        gpus.append(held_by(gpu(number), *claims))
        there += claims
    return node("worker-0", *gpus, used=taken(there)), there


def as_gang(*hosts: tuple[Node, list[Occupant]], **fields: Any) -> list[tuple[Node, list[Occupant]]]:
    """The nodes with their claims as members of one gang."""
    return [(host, [replace(each, gang="ranks", **fields) for each in there]) for host, there in hosts]


def test_all_of_a_gang_leave_the_one_whose_place_is_wanted_last() -> None:
    gang = as_gang(occupied("worker-0", 1, 0, 0, 1), occupied("worker-1", 0, mode="SPX/NPS1"))
    found = find(urgent(), *gang, occupied("worker-2", 50, 50, 50, 50), (node("worker-3", gpu(0)), []))
    assert sorted(names(found)) == ["worker-0-0", "worker-0-1", "worker-0-2", "worker-0-3", "worker-1-0"]
    assert isinstance(found, Preemption)
    last, partition = found.victims[-1], found.placed.partition
    assert partition.holder is not None
    assert partition.holder.name == last.key


def test_fewer_pods_that_stand_alone_go_before_a_gang() -> None:
    crowd = as_gang(occupied("worker-0", 0, 0, 0, 0))
    assert names(find(urgent(), *crowd, occupied("worker-1", 5, 5, 5, 5))) == ["worker-1-0"]


@pytest.mark.parametrize(
    ("changes", "host"),
    [
        pytest.param({"priority": 10}, {}, id="is as important"),
        pytest.param({"movable": False}, {}, id="is not to be moved"),
        pytest.param({"refused": True}, {}, id="was refused to leave"),
        pytest.param({}, {"paused": True}, id="is on a paused node"),
    ],
)
def test_nobody_of_a_gang_leaves_while_one_of_it_may_not(changes: dict[str, Any], host: dict[str, Any]) -> None:
    (here, there), (other, rest) = as_gang(occupied("worker-0", 0, 0, 0, 0), occupied("worker-1", 0, mode="SPX/NPS1"))
    elsewhere = replace(other, **host), [replace(rest[0], **changes)]
    assert isinstance(find(urgent(), (here, there), elsewhere), NoVictims)


def test_no_node_is_tried_whose_gpus_do_not_serve_the_precision() -> None:
    host, there = occupied("worker-0", 0, 0, 0, 0)
    old = replace(host, gpus=(replace(host.gpus[0], product="MI210"),))
    counted = _Counting()
    found = Preemptor(counted, Snapshot([old]), there).find(urgent(precision="fp8"))
    assert (type(found), counted.calls) == (NoVictims, 0)
