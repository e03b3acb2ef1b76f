"""A share group whose GPU counts memory errors, under `onUnhealthy: Replace`: founded anew on the other node, by itself."""

import asyncio
import json
from pathlib import Path

import pytest

from e2e.plane import AdminError, Plane
from e2e.run.processes import OPERATOR
from tests.integration.operator.running import AIM, SMALL, Object, Running, deployment, opt_in, running

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180)]

MEMBERS = 2
LIMIT_SECONDS = 60.0
MEMBER = opt_in(SMALL, isolation="cooperative", share_group="chat", max_concurrency="4")
POLICY: Object = {
    "apiVersion": "aim.amd.com/v1beta1",
    "kind": "GPUSharingPolicy",
    "metadata": {"name": "all"},
    "spec": {"onUnhealthy": "Replace", "repartition": {"maxUnavailablePods": MEMBERS}},
}


async def test_all_members_leave_and_found_the_group_anew_where_a_place_was_kept(plane: Plane, tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps({"faults": []}))
    nodes = {"a": "CPX/NPS4", "b": "CPX/NPS4"}
    async with running(plane, tmp_path, nodes, gpus=1, agent_arguments=("--faults", str(faults))) as cluster:
        await cluster.rule(POLICY)
        await cluster.create(cluster.deployments_path, deployment("web", MEMBERS, MEMBER))
        first = await _shared(cluster)
        home = first["status"]["allocation"]["node"]
        sick = {"fault": "MemoryErrors", "node": home, "gpu": first["status"]["allocation"]["devices"][0]["bdf"]}
        await cluster.agents.kill()
        faults.write_text(json.dumps({"faults": [sick]}))
        await cluster.agents.start()
        await cluster.eventually("the fault is old", lambda: _broken_long_ago(cluster), LIMIT_SECONDS)
        moved = await _shared(cluster, not_of=first["metadata"]["uid"])
        assert moved["status"]["allocation"]["node"] != home

        async def given_up() -> bool:
            found = [await cluster.get(f"{AIM}/gpunodes/{name}") for name in cluster.names.values()]
            return not any(node["spec"].get("reservations") for node in found)

        await cluster.eventually("no place is kept any more", given_up, LIMIT_SECONDS)


async def _shared(cluster: Running, not_of: str = "") -> Object:
    """The group's claim, another one than `not_of`, once every member has its share there."""

    async def check() -> Object | None:
        pods = {one["metadata"]["uid"] for one in await cluster.pods() if one["status"].get("phase") == "Running"}
        for claim in await cluster.claims():
            shares = {share["pod"]["uid"] for share in claim.get("status", {}).get("shares", ())}
            allocated = claim.get("status", {}).get("phase") == "Allocated"
            if allocated and claim["metadata"]["uid"] != not_of and len(shares) == MEMBERS and shares == pods:
                return claim
        return None

    found: Object = await cluster.eventually("every member has its share", check, LIMIT_SECONDS)
    return found


async def _broken_long_ago(cluster: Running) -> bool:
    """The fault has been told for long enough: written in the operator's name, for nobody else may."""
    admin = cluster.plane.admin.acting_as(OPERATOR)
    for claim in await cluster.claims():
        conditions = claim["status"].get("conditions", [])
        broken = [one for one in conditions if (one["type"], one["status"]) == ("Healthy", "False")]
        for condition in broken:
            condition["lastTransitionTime"] = "2026-01-01T00:00:00Z"
            version = {"resourceVersion": claim["metadata"]["resourceVersion"]}
            path = f"{cluster.claims_path}/{claim['metadata']['name']}/status"
            try:
                await asyncio.to_thread(admin.patch, path, {"metadata": version, "status": {"conditions": conditions}})
            except AdminError as error:
                if error.status not in (404, 409):
                    raise
                return False
            return True
    return False
