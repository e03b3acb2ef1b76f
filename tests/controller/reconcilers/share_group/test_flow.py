"""The flow of a share group: founded, joined, left, over."""

from itertools import pairwise

from api.group import (
    ASSIGNED_CU_MASK,
    ASSIGNED_FRACTION,
    ASSIGNED_ISOLATION,
    ASSIGNED_PARTITION,
    ASSIGNED_VISIBLE_DEVICES,
    FINALIZER,
)
from controller.binding.shares import parse_units
from controller.reconcilers.gpu_partition_claim.claim_refusals import LONGEST_SECONDS
from controller.reconcilers.share_group.founding import GATHER_SECONDS, LONGEST_GATHERING_SECONDS
from controller.reconcilers.share_group.shared_status import why_waits
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from controller.runtime.client.errors import Forbidden
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS
from tests.builders.gpu import bdf, device_name
from tests.builders.gpu_node import gpu_node
from tests.builders.plan import reservation
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi, refusing
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.controller.reconcilers.share_group.group import (
    KEY,
    NAME,
    allocate,
    arguments,
    member,
    open_pods,
    remove,
    rounds,
    shares,
    the_claim,
    the_pod,
    told,
)
from tests.fakes.clock import FakeClock


async def test_members_are_gathered_before_the_group_is_founded(api: InMemoryApi, operator: Operator) -> None:
    operator.show()
    assert (await operator.reconcile(KEY)).requeue_after == GATHER_SECONDS
    assert api.of(GPU_PARTITION_CLAIMS) == []


async def test_members_that_keep_coming_do_not_put_it_off_for_ever(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    for number in range(int(LONGEST_GATHERING_SECONDS / GATHER_SECONDS * 2) + 1):
        api.put(PODS, member(f"late-{number}"))
        await operator.round(KEY)
        clock.tick(GATHER_SECONDS / 2)
    assert len(api.of(GPU_PARTITION_CLAIMS)) == 1


async def test_three_members_have_one_claim_and_one_resource_claim(api: InMemoryApi, founded: Operator) -> None:
    (made,) = api.of(RESOURCE_CLAIMS)
    claim = the_claim(api)
    assert (claim["spec"]["shareGroup"], claim["status"]["phase"]) == ("chat", "Allocated")
    assert claim["spec"]["requirement"]["isolation"] == "cooperative"
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("GPUPartitionClaim", claim["metadata"]["uid"])
    assert open_pods(api) == set(shares(api)) == {"a", "b", "c"}


async def test_each_member_is_told_its_own_share_of_the_same_partition(api: InMemoryApi, founded: Operator) -> None:
    assert len({told(api, name)[ASSIGNED_PARTITION] for name in "abc"}) == 1
    masks = [told(api, name)[ASSIGNED_CU_MASK] for name in "abc"]
    ranges = sorted(unit for mask in masks for unit in parse_units(mask.removeprefix("0:")))
    assert len(ranges) == 3
    assert all(before[1] < after[0] for before, after in pairwise(ranges))
    assert {told(api, name)[ASSIGNED_ISOLATION] for name in "abc"} == {"cu-mask"}
    assert {told(api, name)[ASSIGNED_VISIBLE_DEVICES] for name in "abc"} == {"0"}


async def test_engines_keep_to_their_part_by_fraction_and_a_pinned_pool(api: InMemoryApi, founded: Operator) -> None:
    given = [arguments(api, name) for name in "abc"]
    assert all(each["kv-cache-memory-bytes"] > 0 for each in given)
    assert sum(each["gpu-memory-utilization"] for each in given) <= 1
    for name in "abc":
        assert arguments(api, name)["gpu-memory-utilization"] <= float(told(api, name)[ASSIGNED_FRACTION]) + 1e-4


async def test_a_settled_group_writes_nothing_more(api: InMemoryApi, founded: Operator) -> None:
    before = list(api.writes)
    await rounds(founded)
    assert api.writes == before


async def test_one_that_joins_later_gets_what_is_left(api: InMemoryApi, founded: Operator) -> None:
    before = shares(api)
    api.put(PODS, member("d"))
    await rounds(founded)
    after = shares(api)
    assert {name: after[name] for name in before} == before
    assert "d" in after
    assert "d" in open_pods(api)


async def test_one_that_does_not_fit_waits_and_is_told_why(api: InMemoryApi, founded: Operator) -> None:
    api.put(PODS, member("big", annotations={"aim.amd.com/model-id": "Qwen/Qwen3-8B"}))
    await rounds(founded)
    assert "big" not in shares(api)
    assert the_pod(api, "big")["spec"]["schedulingGates"]
    told = why_waits(the_claim(api)["status"]["explanation"])
    assert told["big"].startswith("ShareGroupFull: share group chat leaves")
    assert ("Warning", "ShareGroupFull") in founded.told
    assert the_claim(api)["status"]["phase"] == "Allocated"


async def test_a_share_that_is_given_back_goes_to_the_one_that_waits(api: InMemoryApi, founded: Operator) -> None:
    for number in range(9):
        api.put(PODS, member(f"late-{number}"))
    await rounds(founded)
    waiting = {each["metadata"]["name"] for each in api.of(PODS)} - open_pods(api)
    assert waiting
    freed = shares(api)["b"]["computeUnits"]
    remove(api, "b")
    await rounds(founded)
    came = open_pods(api) & waiting
    assert [shares(api)[name]["computeUnits"] for name in came] == [freed]


async def test_a_pod_on_its_way_out_keeps_its_share_until_it_is_gone(api: InMemoryApi, founded: Operator) -> None:
    leaving = the_pod(api, "b")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    api.put(PODS, leaving)
    await rounds(founded)
    assert "b" in shares(api)
    remove(api, "b")
    await rounds(founded)
    assert "b" not in shares(api)


async def test_a_pod_that_ended_gives_its_share_back(api: InMemoryApi, founded: Operator) -> None:
    ended = the_pod(api, "b")
    api.put(PODS, ended | {"status": {"phase": "Succeeded"}})
    await rounds(founded)
    assert set(shares(api)) == {"a", "c"}


async def test_with_the_last_member_everything_goes(api: InMemoryApi, founded: Operator) -> None:
    for name in "abc":
        remove(api, name)
    await rounds(founded)
    assert api.of(GPU_PARTITION_CLAIMS) == []
    assert api.of(RESOURCE_CLAIMS) == []
    assert len(founded.cluster.assumptions) == 0


async def test_a_claim_that_somebody_deletes_stays_until_the_last_member_has_left(
    api: InMemoryApi, founded: Operator
) -> None:
    await api.delete(GPU_PARTITION_CLAIMS, NAME, "team-a")
    api.put(PODS, member("late"))
    await rounds(founded)
    assert set(shares(api)) == {"a", "b", "c"}
    assert ("Warning", "ShareGroupEnding") in founded.told
    for name in "abc":
        remove(api, name)
    await rounds(founded, 1)
    assert api.of(GPU_PARTITION_CLAIMS) == []


async def test_those_that_waited_found_the_group_anew(api: InMemoryApi, founded: Operator, clock: FakeClock) -> None:
    first = the_claim(api)["metadata"]["uid"]
    api.put(PODS, member("big", annotations={"aim.amd.com/model-id": "Qwen/Qwen3-8B"}))
    await rounds(founded)
    for name in "abc":
        remove(api, name)
    await rounds(founded)
    clock.tick(GATHER_SECONDS)
    await rounds(founded)
    assert the_claim(api)["metadata"]["uid"] != first
    assert set(shares(api)) == {"big"}


async def test_a_pod_that_only_names_the_groups_claim_gets_nothing(api: InMemoryApi, founded: Operator) -> None:
    stranger = member("stranger")
    del stranger["metadata"]["annotations"]["aim.amd.com/share-group"]
    stranger["metadata"]["annotations"]["aim.amd.com/isolation"] = "hardware"
    api.put(PODS, stranger)
    await rounds(founded)
    assert "stranger" not in open_pods(api) | set(shares(api))
    assert ("Warning", "ClaimNameTaken") in founded.told


async def test_waiting_members_take_nothing_of_the_node(api: InMemoryApi, founded: Operator) -> None:
    used = founded.cluster.snapshot().nodes[0].used
    api.put(PODS, member("big", annotations={"aim.amd.com/model-id": "Qwen/Qwen3-8B"}))
    await rounds(founded)
    assert founded.cluster.snapshot().nodes[0].used == used


async def test_what_the_group_takes_of_its_node_is_the_sum_of_its_members(api: InMemoryApi, founded: Operator) -> None:
    (node,) = founded.cluster.snapshot().nodes
    (holder,) = {partition.holder for partition in node.gpus[0].partitions if partition.holder is not None}
    assert (holder.name, holder.resources.pods) == (KEY, 3)


async def test_a_member_whose_share_would_be_another_by_now_is_not_let_go(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    await operator.round(KEY)
    clock.tick(GATHER_SECONDS)

    def ask_for_more(write: str) -> None:
        if write == "create resourceclaims":
            changed = the_pod(api, "a")
            changed["metadata"]["annotations"]["aim.amd.com/max-concurrency"] = "256"
            api.put(PODS, changed)

    api.before_write = ask_for_more
    await rounds(operator)
    assert open_pods(api) == {"b", "c"}
    assert ("Warning", "ShareOutdated") in operator.told


async def test_the_device_lost_to_somebody_else_is_replaced_and_shares_stay(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    await operator.round(KEY)
    clock.tick(GATHER_SECONDS)
    await rounds(operator)
    before = shares(api)
    taken = the_claim(api)["status"]["allocation"]["devices"][0]["device"]
    api.put(RESOURCE_CLAIMS, resource_claim("theirs", device=taken, owner_uid=None))
    clock.tick(31)
    await rounds(operator, 4)
    now = the_claim(api)["status"]["allocation"]["devices"][0]
    assert now["device"] == device_name(0, 1)
    assert shares(api) == before
    assert all("/1 CPX" in told(api, name)[ASSIGNED_PARTITION] for name in "abc")
    allocate(api)
    await rounds(operator)
    assert the_claim(api)["status"]["phase"] == "Allocated"


async def test_the_claim_is_kept_by_our_finalizer(api: InMemoryApi, founded: Operator) -> None:
    assert the_claim(api)["metadata"]["finalizers"] == [FINALIZER]


async def test_a_group_founded_anew_gets_the_place_that_was_kept_for_it(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    kept = reservation(bdf(0), 5, owner=NAME, claim=NAME, mode="CPX/NPS4", evictedTime="2026-01-01T00:00:00Z")
    api.put(GPU_NODES, gpu_node() | {"spec": {"managed": True, "reservations": [kept]}})
    await operator.round(KEY)
    clock.tick(GATHER_SECONDS)
    await rounds(operator)
    assert the_claim(api)["status"]["allocation"]["devices"][0]["partition"] == 5


def no_devices(text: str) -> None:
    """A ResourceQuota that allows none, as admission applies it."""
    if text in ("create resourceclaims", "try resourceclaims"):
        amounts = "requested: d/devices=1, used: d/devices=0, limited: d/devices=0"
        raise Forbidden(403, "Forbidden", f"exceeded quota: gpus, {amounts}")


async def test_a_group_over_a_quota_holds_nothing_and_is_founded_once_it_may(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    api.before_write = no_devices
    await operator.round(KEY)
    clock.tick(GATHER_SECONDS)
    await rounds(operator)
    status = the_claim(api)["status"]
    assert (status["phase"], status.get("shares", []), "allocation" in status) == ("Pending", [], False)
    assert {one["type"]: one["reason"] for one in status["conditions"]}["Bound"] == "QuotaExceeded"
    assert open_pods(api) == set()
    assert operator.told.count(("Warning", "QuotaExceeded")) >= 3
    before = list(api.writes)
    await rounds(operator)
    assert api.writes == before, "during the pause no place is taken"
    assert 0 < ((await operator.reconcile(KEY)).requeue_after or 0) <= LONGEST_SECONDS
    api.before_write = lambda _: None
    clock.tick(LONGEST_SECONDS)
    await rounds(operator)
    assert open_pods(api) == {"a", "b", "c"}


async def test_members_that_were_let_go_keep_their_place_and_are_told(
    api: InMemoryApi, founded: Operator, clock: FakeClock
) -> None:
    del api.objects["resourceclaims", "team-a", NAME]
    api.before_write = no_devices
    await rounds(founded)
    (stuck,) = [one for one in the_claim(api)["status"]["conditions"] if one["type"] == "Stuck"]
    assert (stuck["status"], stuck["reason"]) == ("True", "QuotaExceeded")
    assert set(shares(api)) == {"a", "b", "c"}
    api.before_write = lambda _: None
    clock.tick(LONGEST_SECONDS)
    await rounds(founded)
    assert len(api.of(RESOURCE_CLAIMS)) == 1


async def test_members_of_a_group_whose_claim_may_not_be_made_are_told(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    api.before_write = refusing("create gpupartitionclaims", Forbidden(403, "Forbidden", "no"))
    await operator.round(KEY)
    clock.tick(GATHER_SECONDS)
    operator.show()
    assert (await operator.reconcile(KEY)).requeue_after == LONGEST_SECONDS
    assert operator.told.count(("Warning", "ResourceClaimRefused")) == 3
    await rounds(operator)
    assert open_pods(api) == {"a", "b", "c"}
