"""A namespace in which the API server makes no more ResourceClaims: who waits, what it is told, when it is tried again."""

from collections.abc import Callable
from typing import Any

from controller.reconcilers.gpu_partition_claim.claim_refusals import LONGEST_BLIND_SECONDS, LONGEST_SECONDS
from controller.runtime.client.core import NODES, PODS, RESOURCE_CLAIMS
from controller.runtime.client.errors import ApiError, Forbidden
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.pod import GATE, pod
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.fakes.clock import FakeClock

DEVICES = "gpu.amd.com.deviceclass.resource.k8s.io/devices"
CREATED, TRIED = "create resourceclaims", "try resourceclaims"
BY_POLICY = Forbidden(403, "Forbidden", "ValidatingAdmissionPolicy 'team-rules' denied request: not on a Friday")


class Quota:
    """A ResourceQuota of the namespace, as admission applies it to what is stored."""

    def __init__(self, api: InMemoryApi, devices: int) -> None:
        self.devices = devices
        self.asked: list[str] = []
        self._api = api
        api.before_write = self

    def __call__(self, text: str) -> None:
        if text not in (CREATED, TRIED):
            return
        self.asked.append(text)
        used = len(self._api.of(RESOURCE_CLAIMS))
        if used >= self.devices:
            amounts = f"requested: {DEVICES}=1, used: {DEVICES}={used}, limited: {DEVICES}={self.devices}"
            raise Forbidden(403, "Forbidden", f'"aim-a" is forbidden: exceeded quota: gpus, {amounts}')


def always(verbs: tuple[str, ...], error: ApiError) -> Callable[[str], None]:
    def check(text: str) -> None:
        if text in verbs:
            raise error

    return check


def status(api: InMemoryApi, name: str = "aim-a") -> dict[str, Any]:
    found: dict[str, Any] = api.objects["gpupartitionclaims", "team-a", name]["status"]
    return found


def condition(api: InMemoryApi, type_: str, name: str = "aim-a") -> dict[str, Any]:
    (found,) = [one for one in status(api, name)["conditions"] if one["type"] == type_]
    return dict(found)


async def rounds(operator: Operator, *keys: str, times: int = 3) -> None:
    for _ in range(times):
        await operator.round(*keys)


async def test_the_claim_says_which_quota_what_it_asks_what_is_left_and_what_to_do(
    api: InMemoryApi, operator: Operator
) -> None:
    Quota(api, 0)
    await rounds(operator)
    bound = condition(api, "Bound")
    assert (bound["status"], bound["reason"]) == ("False", "QuotaExceeded")
    assert "ResourceQuota gpus of namespace team-a is used up" in bound["message"]
    assert f"asks for 1 of {DEVICES}, 0 of 0 are used (0 left)" in bound["message"]
    assert "raised" in bound["message"]
    assert status(api)["explanation"] == bound["message"]
    assert ("Warning", "QuotaExceeded") in operator.told
    assert ("bind", "refused") in operator.counted


async def test_it_holds_no_partition_meanwhile(api: InMemoryApi, operator: Operator) -> None:
    Quota(api, 0)
    await rounds(operator)
    assert status(api)["phase"] == "Pending"
    assert "allocation" not in status(api)
    operator.show()
    (node,) = operator.cluster.snapshot().nodes
    assert not [one for each in node.gpus for one in each.partitions if one.holder is not None]
    assert len(operator.cluster.assumptions) == 0


async def test_during_the_pause_nothing_is_asked_and_nothing_written(api: InMemoryApi, operator: Operator) -> None:
    quota = Quota(api, 0)
    await rounds(operator)
    before, asked = list(api.writes), list(quota.asked)
    waits = [(await operator.reconcile()).requeue_after for _ in range(5)]
    assert (api.writes, quota.asked) == (before, asked)
    assert all(wait is not None and 0 < wait <= LONGEST_SECONDS for wait in waits)


async def test_after_the_pause_a_dry_run_asks_and_the_status_stays(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    quota = Quota(api, 0)
    await rounds(operator)
    told = status(api)
    for _ in range(4):
        clock.tick(LONGEST_SECONDS)
        await rounds(operator, times=1)
    assert quota.asked == [CREATED] + [TRIED] * 4
    assert status(api) == told


async def test_the_pauses_grow_up_to_the_longest(api: InMemoryApi, operator: Operator, clock: FakeClock) -> None:
    Quota(api, 0)
    await rounds(operator)
    pauses = []
    for _ in range(8):
        clock.tick(LONGEST_SECONDS)
        pauses.append((await operator.reconcile()).requeue_after or 0.0)
    assert pauses[0] <= 2.0
    assert all(LONGEST_SECONDS / 2 <= pause <= LONGEST_SECONDS for pause in pauses[-3:])


async def test_once_the_quota_allows_it_the_pod_is_bound(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    quota = Quota(api, 0)
    await rounds(operator)
    quota.devices = 1
    clock.tick(LONGEST_SECONDS)
    await rounds(operator)
    assert status(api)["phase"] == "Bound"
    assert condition(api, "Bound")["status"] == "True"
    (bound,) = api.of(PODS)
    assert not bound["spec"].get("schedulingGates")


async def test_another_claim_of_the_namespace_is_told_at_once_and_takes_nothing(
    api: InMemoryApi, operator: Operator
) -> None:
    quota = Quota(api, 0)
    await rounds(operator)
    api.put(PODS, pod("model-1", claim="aim-b", annotations=SMALL))
    await rounds(operator, "team-a/aim-b", times=1)
    assert condition(api, "Bound", "aim-b")["reason"] == "QuotaExceeded"
    assert quota.asked == [CREATED]


async def test_another_namespace_goes_on(api: InMemoryApi, operator: Operator) -> None:
    Quota(api, 0)
    await rounds(operator)
    api.before_write = lambda _: None
    api.put(PODS, pod("model-1", claim="aim-b", annotations=SMALL, metadata={"namespace": "team-b"}))
    await rounds(operator, "team-b/aim-b")
    assert api.objects["gpupartitionclaims", "team-b", "aim-b"]["status"]["phase"] == "Bound"


async def test_one_raised_by_two_lets_two_of_three_in(api: InMemoryApi, operator: Operator, clock: FakeClock) -> None:
    quota = Quota(api, 0)
    names = ["aim-a", "aim-b", "aim-c"]
    for number, name in enumerate(names[1:], 1):
        api.put(PODS, pod(f"model-{number}", claim=name, annotations=SMALL))
    keys = [f"team-a/{name}" for name in names]
    await rounds(operator, *keys)
    quota.devices = 2
    for _ in range(4):
        clock.tick(LONGEST_SECONDS)
        await rounds(operator, *keys)
    assert sorted(status(api, name)["phase"] for name in names) == ["Bound", "Bound", "Pending"]
    (left,) = [name for name in names if status(api, name)["phase"] == "Pending"]
    assert "2 of 2 are used (0 left)" in condition(api, "Bound", left)["message"]


async def test_what_an_admission_policy_says_is_told_and_tried_again_with_growing_pauses(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    api.before_write = always((CREATED,), BY_POLICY)
    await rounds(operator)
    bound = condition(api, "Bound")
    assert bound["reason"] == "ResourceClaimRefused"
    assert "not on a Friday" in bound["message"]
    assert status(api)["phase"] == "Pending"
    assert ((await operator.reconcile()).requeue_after or 0.0) > 0
    api.before_write = lambda _: None
    clock.tick(LONGEST_SECONDS)
    await rounds(operator)
    assert status(api)["phase"] == "Bound"


async def test_what_is_tried_blindly_is_tried_ever_more_seldom(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    api.before_write = always((CREATED,), BY_POLICY)
    pauses = []
    for _ in range(9):
        await rounds(operator)
        pauses.append((await operator.reconcile()).requeue_after or 0.0)
        clock.tick(LONGEST_BLIND_SECONDS)
    assert pauses[0] <= 1.0
    assert all(LONGEST_BLIND_SECONDS / 2 <= pause <= LONGEST_BLIND_SECONDS for pause in pauses[-2:])


async def test_a_pod_whose_gate_is_open_keeps_its_place_and_is_called_stuck(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    await rounds(operator)
    (made,) = api.of(RESOURCE_CLAIMS)
    del api.objects["resourceclaims", "team-a", made["metadata"]["name"]]
    quota = Quota(api, 0)
    await rounds(operator, times=1)
    stuck = condition(api, "Stuck")
    assert (stuck["status"], stuck["reason"]) == ("True", "QuotaExceeded")
    assert status(api)["phase"] == "Bound"
    quota.devices = 1
    clock.tick(LONGEST_SECONDS)
    await rounds(operator)
    assert len(api.of(RESOURCE_CLAIMS)) == 1


async def test_one_whose_old_resource_claim_fills_the_quota_replaces_it(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    """A dry run would be refused for ever: what it asks about is what the claim has already."""
    quota = Quota(api, 0)
    await rounds(operator)
    (waiting,) = api.of(PODS)
    metadata = {"name": "aim-a", "namespace": "team-a", "uid": "old"}
    owner = {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": "model-0",
        "uid": waiting["metadata"]["uid"],
        "controller": True,
    }
    api.put(RESOURCE_CLAIMS, {"metadata": metadata | {"ownerReferences": [owner]}, "spec": {"devices": {}}})
    quota.devices = 1
    for _ in range(3):
        clock.tick(LONGEST_SECONDS)
        await rounds(operator)
    assert status(api)["phase"] == "Bound"
    assert [one["metadata"]["uid"] == "old" for one in api.of(RESOURCE_CLAIMS)] == [False]


GANG = SMALL | {"aim.amd.com/gang": "ranks", "aim.amd.com/gang-size": "2"}


async def test_a_gang_of_which_one_gets_no_resource_claim_gives_everything_back(
    operator: Operator, api: InMemoryApi, clock: FakeClock
) -> None:
    api.objects.clear()
    api.put(NODES, node_object())
    api.put(GPU_NODES, gpu_node("worker-0", gpu(0, "QPX/NPS1")))
    for number in range(2):
        api.put(PODS, pod(f"rank-{number}", claim=f"aim-{number}", annotations=GANG))
    keys = ["team-a/aim-0", "team-a/aim-1"]
    quota = Quota(api, 1)
    await rounds(operator, *keys, times=5)
    assert [status(api, name)["phase"] for name in ("aim-0", "aim-1")] == ["Pending", "Pending"]
    assert api.of(RESOURCE_CLAIMS) == []
    reasons = sorted(condition(api, "Bound", name)["reason"] for name in ("aim-0", "aim-1"))
    assert reasons[-1] == "QuotaExceeded"
    assert all({"name": GATE} in one["spec"]["schedulingGates"] for one in api.of(PODS))
    quota.devices = 2
    for _ in range(4):
        clock.tick(LONGEST_SECONDS)
        await rounds(operator, *keys)
    assert not [one for one in api.of(PODS) if one["spec"].get("schedulingGates")]
    assert len(api.of(GPU_PARTITION_CLAIMS)) == 2


async def test_what_nobody_asks_about_any_more_is_forgotten(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    quota = Quota(api, 0)
    await rounds(operator)
    (only,) = api.of(PODS)
    del api.objects["pods", "team-a", only["metadata"]["name"]]
    await rounds(operator)
    clock.tick(3600)
    api.put(PODS, pod("model-1", claim="aim-b", annotations=SMALL, metadata={"namespace": "team-b"}))
    await rounds(operator, "team-b/aim-b")  # refused as well, at which the older one is forgotten
    del quota.asked[:]
    api.put(PODS, pod("model-2", claim="aim-c", annotations=SMALL))
    await rounds(operator, "team-a/aim-c", times=2)
    assert quota.asked[:1] == [CREATED]


async def test_where_not_even_our_own_claim_may_be_made_an_event_on_the_pod_says_so(
    api: InMemoryApi, operator: Operator
) -> None:
    said = "exceeded quota: records, requested: count/c=1, used: count/c=5, limited: count/c=5"
    api.before_write = always(("create gpupartitionclaims",), Forbidden(403, "Forbidden", said))
    operator.show()
    assert (await operator.reconcile()).requeue_after == LONGEST_SECONDS
    assert ("Warning", "QuotaExceeded") in operator.told
    assert ("admit", "refused") in operator.counted
    api.before_write = lambda _: None
    await rounds(operator)
    assert status(api)["phase"] == "Bound"


async def test_one_that_is_there_and_not_seen_yet_is_not_taken_for_one_too_many(
    api: InMemoryApi, operator: Operator
) -> None:
    """Its own use fills the quota, and admission is asked before the name is looked at."""
    Quota(api, 1)
    operator.show()
    await operator.reconcile()
    operator.show()
    operator.cycle.decide(retry=True)
    await operator.reconcile()
    (made,) = api.of(RESOURCE_CLAIMS)
    bound = status(api)
    assert bound["phase"] == "Bound"
    operator.fed.listed(operator.cluster.pods, *api.of(PODS))
    operator.fed.listed(operator.cluster.claims, *api.of(GPU_PARTITION_CLAIMS))
    await operator.reconcile()
    assert status(api) == bound
    assert api.of(RESOURCE_CLAIMS) == [made]
