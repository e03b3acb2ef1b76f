"""A share group on the real control plane: one ResourceClaim that the real scheduler reserves for every member."""

from pathlib import Path
from typing import Any

import pytest

from api.group import ASSIGNED_CU_MASK, ASSIGNED_FRACTION, ASSIGNED_ISOLATION
from controller.binding.shares import parse_units
from e2e.plane import Plane
from tests.integration.operator.running import SMALL, Object, Running, opt_in, pod, running, service

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
