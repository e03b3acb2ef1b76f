"""A share group on the real control plane: one ResourceClaim that the real scheduler reserves for every member."""

from pathlib import Path
from typing import Any

import pytest

from api.group import ASSIGNED_CU_MASK, ASSIGNED_FRACTION, ASSIGNED_ISOLATION
from controller.binding.shares import parse_units
from e2e.plane import Plane
from tests.integration.operator.running import AIM, SMALL, Object, Running, opt_in, pod, running, service

pytestmark = pytest.mark.plane

GROUP = {"isolation": "cooperative", "shareGroup": "chat"}
MEMBER = opt_in(SMALL, isolation="cooperative", share_group="chat", max_concurrency="4")


async def reserved(cluster: Running, *names: str) -> Object:
    """The group's claim, once its only ResourceClaim is reserved for just these pods and every one has its share."""

    async def check() -> Object | None:
        pods = {each["metadata"]["name"]: each["metadata"]["uid"] for each in await cluster.pods()}
        claims, made = await cluster.claims(), await cluster.resource_claims()
        if len(claims) != 1 or len(made) != 1 or set(pods) != set(names):
            return None
        users = {user["uid"] for user in made[0].get("status", {}).get("reservedFor", ())}
        status = claims[0].get("status", {})
        shares = {share["pod"]["uid"] for share in status.get("shares", ())}
        whole = status.get("phase") == "Allocated" and users == shares == set(pods.values())
        return claims[0] if whole else None

    found: Object = await cluster.eventually(f"one ResourceClaim, reserved for {names}", check)
    return found


def units(annotations: dict[str, str]) -> set[int]:
    """The compute units of a mask."""
    ranges = parse_units(annotations[ASSIGNED_CU_MASK].removeprefix("0:"))
    return {unit for first, last in ranges for unit in range(first, last + 1)}


async def told(cluster: Running) -> dict[str, dict[str, Any]]:
    """Every pod's annotations."""
    return {each["metadata"]["name"]: each["metadata"]["annotations"] for each in await cluster.pods()}


def check_shares(annotations: dict[str, dict[str, Any]], claim: Object) -> None:
    """Fractions and masks are each member's own, and together no more than the partition."""
    masks = [units(each) for each in annotations.values()]
    assert sum(map(len, masks)) == len(set().union(*masks))
    assert sum(float(each[ASSIGNED_FRACTION]) for each in annotations.values()) <= 1
    assert {each[ASSIGNED_ISOLATION] for each in annotations.values()} == {"cu-mask"}
    (device,) = claim["status"]["allocation"]["devices"]
    assert sum(share["bytes"] for share in claim["status"]["shares"]) <= device["bytes"]


async def test_three_share_a_partition_one_leaves_another_joins_and_the_last_takes_all_along(
    plane: Plane, tmp_path: Path
) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS4"}, gpus=1) as cluster:
        for name in ("one", "two", "three"):
            await cluster.create(cluster.pods_path, pod(name, MEMBER))
        first = await reserved(cluster, "one", "two", "three")
        before = await told(cluster)
        check_shares(before, first)

        await cluster.delete(f"{cluster.pods_path}/two")
        await reserved(cluster, "one", "three")
        await cluster.create(cluster.pods_path, pod("four", MEMBER))
        joined = await reserved(cluster, "one", "three", "four")
        after = await told(cluster)
        check_shares(after, joined)
        assert joined["metadata"]["uid"] == first["metadata"]["uid"]
        assert units(after["four"]) == units(before["two"])
        assert {name: after[name] for name in ("one", "three")} == {name: before[name] for name in ("one", "three")}

        for name in ("one", "three", "four"):
            await cluster.delete(f"{cluster.pods_path}/{name}")

        async def gone() -> bool:
            return not (await cluster.claims() or await cluster.resource_claims())

        await cluster.eventually("nothing is left of the group", gone)


async def test_services_of_one_group_share_and_say_so(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS4"}, gpus=1) as cluster:
        for name in ("ask", "answer"):
            await cluster.create(cluster.services_path, service(name, gpuSharing=GROUP))

        async def ready() -> list[Object] | None:
            found = await cluster.items(cluster.services_path)
            states = [{c["type"]: c["status"] for c in each.get("status", {}).get("conditions", ())} for each in found]
            return found if len(found) == 2 and all(state.get("Ready") == "True" for state in states) else None

        places = [each["status"]["placements"] for each in await cluster.eventually("both are Ready", ready)]
        assert len({(place["claim"], place["partition"]) for found in places for place in found}) == 1


async def test_services_are_promised_together_no_more_than_their_policy_lets_be_in_flight(
    plane: Plane, tmp_path: Path
) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS4"}, gpus=1) as cluster:
        await cluster.rule(bounding(8))
        await cluster.create(cluster.services_path, promised("ask", 5))
        await holds(cluster, "ask")
        await cluster.create(cluster.services_path, promised("answer", 4))
        await condition(cluster, "answer", "Allocated", "WaitingForShare", "can promise 3 more requests in flight")
        await heard(cluster, "GuaranteeCapacity")
        assert {service for service, found in (await conditions(cluster)).items() if "Guaranteed" in found} == set()

        await cluster.patch(f"{cluster.services_path}/answer", guarantee(3))
        await holds(cluster, "ask", "answer")

        await cluster.patch(f"{cluster.services_path}/answer", guarantee(4))
        for name, least in (("ask", 5), ("answer", 4)):
            told = await condition(cluster, name, "Guaranteed", "GuaranteeCapacity", "promised 9 requests")
            assert told["status"] == "False"
            assert f"minConcurrency: '{least}'" in told["message"]
        await holds(cluster, "ask", "answer")  # nobody was stopped for it

        await cluster.patch(f"{AIM}/gpusharingpolicies/bounding", {"spec": {"sharedConcurrency": 9}})
        for name in ("ask", "answer"):
            assert (await condition(cluster, name, "Guaranteed", "Guaranteed"))["status"] == "True"


def bounding(requests: int) -> Object:
    """A policy for all, by which so many requests are in flight on a partition that pods share."""
    spec = {"nodeSelector": {}, "sharedConcurrency": requests}
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "GPUSharingPolicy",
        "metadata": {"name": "bounding"},
        "spec": spec,
    }


def guarantee(least: int) -> Object:
    return {"spec": {"qos": {"guarantees": {"minConcurrency": least}}}}


def promised(name: str, least: int) -> Object:
    """A service of the group that is promised so many requests in flight."""
    return service(name, gpuSharing=GROUP, **guarantee(least)["spec"])


async def conditions(cluster: Running) -> dict[str, dict[str, Object]]:
    """By service and type."""
    found = await cluster.items(cluster.services_path)
    return {
        each["metadata"]["name"]: {one["type"]: one for one in each.get("status", {}).get("conditions", ())}
        for each in found
    }


async def condition(cluster: Running, name: str, type_: str, reason: str, says: str = "") -> Object:
    """The service's condition once it has that reason, and says so."""

    async def check() -> Object | None:
        found = (await conditions(cluster))[name].get(type_, {})
        return found if found.get("reason") == reason and says in found["message"] else None

    told: Object = await cluster.eventually(f"{type_} of {name} is {reason}, {says!r}", check)
    return told


async def heard(cluster: Running, reason: str) -> None:
    """Wait for an Event with that reason."""

    async def check() -> bool:
        events = await cluster.items(f"/apis/events.k8s.io/v1/namespaces/{cluster.namespace}/events")
        return reason in {event["reason"] for event in events}

    await cluster.eventually(f"an Event says {reason}", check)


async def holds(cluster: Running, *names: str) -> None:
    """Wait until the pods with a share are one of each of these services."""

    async def check() -> bool:
        claims = await cluster.claims()
        shares = [share["pod"]["name"] for claim in claims for share in claim.get("status", {}).get("shares", ())]
        return sorted(name.partition("-")[0] for name in shares) == sorted(names)

    await cluster.eventually(f"{names} have their shares", check)
