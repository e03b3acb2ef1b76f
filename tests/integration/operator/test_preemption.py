"""Pods of high priority on a full node, and gangs: one operator and one node for all."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from e2e.plane import Plane
from tests.integration.operator.allocation_history import AllocationHistory
from tests.integration.operator.running import AIM, Object, Running, deployment, opt_in, pod, running, service

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
QPX = 4
"""Partitions of a GPU in QPX."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A node with one GPU in QPX, and two classes of high priority."""
    async with running(plane, tmp_path_factory.mktemp("preemption"), {"a": "QPX/NPS1"}, gpus=1) as made:
        for suffix, policy in (("urgent", "PreemptLowerPriority"), ("meek", "Never")):
            name = class_name(made, suffix)
            await made.create(CLASSES, {"metadata": {"name": name}, "value": 1000, "preemptionPolicy": policy})
        try:
            yield made
        finally:
            for suffix in ("urgent", "meek"):
                await made.delete(f"{CLASSES}/{class_name(made, suffix)}")


def class_name(cluster: Running, suffix: str) -> str:
    return f"{suffix}-{cluster.namespace}"


async def serving(cluster: Running, app: str) -> list[Object]:
    """The app's pods that run and are not ending."""
    return [
        one
        for one in await cluster.pods()
        if one["metadata"].get("labels", {}).get("app") == app
        and one["status"].get("phase") == "Running"
        and "deletionTimestamp" not in one["metadata"]
    ]


async def claim_of(cluster: Running, name: str) -> Object:
    """The claim of the pod of that name; empty while there is none."""
    found = [one for one in await cluster.claims() if one["spec"]["podRef"]["name"] == name]
    return found[0] if found else {}


async def allocated(cluster: Running, name: str) -> bool:
    return bool((await claim_of(cluster, name)).get("status", {}).get("phase") == "Allocated")


async def explained(cluster: Running, name: str, words: str) -> bool:
    return words in (await claim_of(cluster, name)).get("status", {}).get("explanation", "")


async def events_of(cluster: Running, reason: str) -> list[Object]:
    listed = await cluster.items(f"/apis/events.k8s.io/v1/namespaces/{cluster.namespace}/events")
    return [one for one in listed if one["reason"] == reason]


async def gone(cluster: Running) -> None:
    """Nothing of an earlier test is left."""
    for one in await cluster.items(cluster.deployments_path):
        await cluster.delete(f"{cluster.deployments_path}/{one['metadata']['name']}")
    for one in await cluster.pods():
        if not one["metadata"].get("ownerReferences"):
            await cluster.delete(f"{cluster.pods_path}/{one['metadata']['name']}")

    async def empty() -> bool:
        return not await cluster.pods() and not await cluster.claims()

    await cluster.eventually("pods and claims of before are gone", empty)


async def test_one_pod_of_lower_priority_makes_room_and_its_successor_waits(cluster: Running) -> None:
    await cluster.create(cluster.deployments_path, deployment("low", QPX, opt_in()))

    async def full() -> bool:
        return len(await serving(cluster, "low")) == QPX

    await cluster.eventually("every partition serves", full)
    meek = pod("meek", opt_in(), priorityClassName=class_name(cluster, "meek"))
    await cluster.create(cluster.pods_path, meek)
    await cluster.eventually(
        "the one that may not preempt says so", lambda: explained(cluster, "meek", "preemptionPolicy is Never")
    )
    assert len(await serving(cluster, "low")) == QPX

    await cluster.create(cluster.pods_path, pod("urgent", opt_in(), priorityClassName=class_name(cluster, "urgent")))
    await cluster.eventually("the urgent pod has a partition", lambda: allocated(cluster, "urgent"))
    assert "nomination" not in (await claim_of(cluster, "urgent"))["status"]
    assert len(await serving(cluster, "low")) == QPX - 1
    assert not await allocated(cluster, "meek")

    async def told() -> list[Object]:
        return await events_of(cluster, "Preempted")

    notes = {one["note"] for one in await cluster.eventually("the victim is told", told)}
    assert notes == {"evicted: a claim of priority 1000 takes its partition, its own is 0"}
    await gone(cluster)


async def test_what_a_disruption_budget_refused_is_done_once_it_allows_it_by_an_operator_that_started_anew(
    cluster: Running,
) -> None:
    held = opt_in()
    await cluster.create(cluster.deployments_path, deployment("slow", QPX, held, terminationGracePeriodSeconds=0))

    async def full() -> bool:
        return len(await serving(cluster, "slow")) == QPX

    await cluster.eventually("every partition serves", full)
    budgets = f"/apis/policy/v1/namespaces/{cluster.namespace}/poddisruptionbudgets"
    spec = {"minAvailable": QPX, "selector": {"matchLabels": {"app": "slow"}}}
    await cluster.create(budgets, {"metadata": {"name": "slow"}, "spec": spec})
    urgent = pod("second", opt_in(), priorityClassName=class_name(cluster, "urgent"))
    await cluster.create(cluster.pods_path, urgent)
    await cluster.eventually(
        "the budget refuses", lambda: explained(cluster, "second", "disruption budget refused the eviction")
    )
    assert len(await serving(cluster, "slow")) == QPX
    await cluster.operator.kill()
    await cluster.delete(f"{budgets}/slow")
    await cluster.operator.start()
    await cluster.eventually("without the budget it gets a partition", lambda: allocated(cluster, "second"))
    assert len(await serving(cluster, "slow")) == QPX - 1
    await gone(cluster)


async def test_an_update_that_finds_no_place_gets_one_where_lower_priorities_leave_for_it(cluster: Running) -> None:
    """The new pod asks for two partitions and the old one has one, so that without others leaving it would be blocked."""
    vip = service("vip")
    vip["spec"]["predictor"]["priorityClassName"] = class_name(cluster, "urgent")
    await cluster.create(cluster.services_path, vip)
    await cluster.all_allocated(1)
    await cluster.create(cluster.deployments_path, deployment("low", QPX - 1, opt_in()))
    await cluster.all_allocated(QPX)
    history = AllocationHistory(cluster, "vip")
    await history.begin()
    path = f"{cluster.services_path}/vip"
    await cluster.patch(path, {"spec": {"gpuSharing": {"partition": {"count": 2}}}})

    async def updated() -> bool:
        claims = [one for one in await cluster.claims() if one["spec"]["podRef"]["name"].startswith("vip-")]
        devices = [one.get("status", {}).get("allocation", {}).get("devices", ()) for one in claims]
        return [len(each) for each in devices] == [2]

    await cluster.eventually("the new pod alone serves, with two partitions", updated)
    await history.phase("updated")
    for told in await history.counts():
        assert told == {"updated": [1, 2, 1]}
    assert {one["note"] for one in await events_of(cluster, "Preempted")} == {
        "evicted: a claim of priority 1000 takes its partition, its own is 0"
    }
    await cluster.delete(path)
    await gone(cluster)


async def test_a_gang_is_bound_together_or_not_at_all(cluster: Running) -> None:
    await cluster.create(cluster.pods_path, pod("one", opt_in()))
    await cluster.create(cluster.pods_path, pod("two", opt_in()))
    await cluster.all_allocated(2)
    gang = opt_in(gang="ranks", gang_size="3")
    names = [f"rank-{number}" for number in range(3)]
    for name in names[:2]:
        await cluster.create(cluster.pods_path, pod(name, gang))
    await cluster.eventually("it waits for the third", lambda: explained(cluster, names[0], "waits for 1 more"))
    await cluster.create(cluster.pods_path, pod(names[2], gang))
    await cluster.eventually(
        "there is no room for all three", lambda: explained(cluster, names[2], "of 3 pods that wait fit together")
    )
    assert not any([await allocated(cluster, name) for name in names])
    await cluster.delete(f"{cluster.pods_path}/one")

    async def all_three() -> bool:
        return all([await allocated(cluster, name) for name in names])

    await cluster.eventually("all three have a partition", all_three)
    policies = await cluster.items(f"{AIM}/gpusharingpolicies")
    assert not policies
    await gone(cluster)
