"""A service whose objectives are missed, by what the gateway writes into its status beside the operator."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from e2e.plane import Plane
from e2e.plane.admin import APPLY_PATCH, MERGE_PATCH
from tests.builders.request_counts import shard_counts, steadily
from tests.integration.operator.running import Object, Running, running, service

pytestmark = pytest.mark.plane

GATEWAY = "system:serviceaccount:aim-gpu-gateway:aim-gpu-gateway"
SLO = {"slo": [{"metric": "timeToFirstToken", "threshold": "0.5s"}]}
LONG_AGO = "2026-01-01T00:00:00Z"

Spans = list[tuple[float, int, int]]


async def _counted(cluster: Running, spans: Spans, shard: int = 0) -> None:
    """A shard of the gateway writes its counts."""
    counts = shard_counts(datetime.now(UTC), spans, shard=shard)
    wanted = {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "chat"},
        "status": {"requestCounts": [counts]},
    }
    path = f"{cluster.services_path}/chat/status?fieldManager=aim-gpu-gateway-{shard}&force=true"
    gateway = cluster.plane.admin.acting_as(GATEWAY)
    answer = await asyncio.to_thread(gateway.request, "PATCH", path, wanted, APPLY_PATCH)
    assert counts in answer["status"]["requestCounts"]


async def _says(cluster: Running, type_: str, reason: str) -> Object:
    """The status once its condition of that type has that reason."""

    async def check() -> Object | None:
        status: Object = (await cluster.get(f"{cluster.services_path}/chat")).get("status", {})
        told = [each for each in status.get("conditions", ()) if (each["type"], each["reason"]) == (type_, reason)]
        return status if told else None

    found: Object = await cluster.eventually(f"{type_} says {reason}", check)
    return found


async def _serves_in(cluster: Running, mode: str) -> None:
    async def check() -> bool:
        status = (await cluster.get(f"{cluster.services_path}/chat")).get("status", {})
        over = not status.get("applied", {}).get("strategy")
        modes = [each["mode"] for each in status.get("placements", ())]
        return modes == [mode] and over and status.get("readyReplicas") == 1

    await cluster.eventually(f"it serves in {mode}", check)


async def test_a_budget_that_burns_gets_a_larger_partition_and_one_that_does_not_gives_the_wish_up(
    plane: Plane, tmp_path: Path
) -> None:
    async with running(plane, tmp_path, {"a": "DPX/NPS1", "b": "SPX/NPS1"}, gpus=1) as cluster:
        path = f"{cluster.services_path}/chat"
        spec: dict[str, Any] = {"qos": SLO, "gpuSharing": {"partition": {"resize": "Auto"}}}
        await cluster.create(cluster.services_path, service("chat", **spec))
        await _serves_in(cluster, "DPX/NPS1")
        await _says(cluster, "SLOMet", "NoRequests")

        await _counted(cluster, steadily(0.0, 90), shard=0)
        assert (await _says(cluster, "SLOMet", "WithinBudget"))["slo"][0]["attainment"] == "100"

        # another shard's partition is slow: together more than the objective allows, for long
        await _counted(cluster, steadily(0.9, 90), shard=1)
        status = await _says(cluster, "SLOMet", "BudgetBurns")
        assert (status["slo"][0]["burning"], status["slo"][0]["needed"]) == ("14.4", "98.01")
        wish = (await _says(cluster, "Resized", "NotYet"))["resizeRequest"]
        assert (wish["reason"], wish["wantComputeUnits"]) == ("ErrorBudgetBurns", 304)

        # a wish has to last before it is followed; this one has
        await cluster.patch(f"{path}/status", {"status": {"resizeRequest": {"since": LONG_AGO}}})
        await _serves_in(cluster, "SPX/NPS1")
        assert [one["shard"] for one in (await cluster.get(path))["status"]["requestCounts"]] == [0, 1]

        # nothing larger is there to wish for, and after hours without a burn nothing is wished for
        await _counted(cluster, steadily(0.9, 500, until=420), shard=1)
        await _counted(cluster, steadily(0.0, 400, requests=1000), shard=0)

        async def given_up() -> bool:
            return "resizeRequest" not in (await cluster.get(path))["status"]

        await cluster.eventually("nothing is wished for", given_up)
        await _says(cluster, "Resized", "Larger")


async def test_neither_writer_of_a_status_loses_what_the_other_wrote(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS1"}, gpus=1) as cluster:
        path = f"{cluster.services_path}/chat"
        await cluster.create(cluster.services_path, service("chat", qos=SLO))
        await _serves_in(cluster, "CPX/NPS1")

        async def count(shard: int) -> None:
            for turn in range(25):
                await _counted(cluster, [(1, 10 + turn, 0)], shard)

        async def scale() -> None:
            for turn in range(10):
                await cluster.patch(path, {"spec": {"replicas": 1 + turn % 3}})
                await asyncio.sleep(0.05)

        async with asyncio.TaskGroup() as tasks:
            for shard in range(3):
                tasks.create_task(count(shard))
            tasks.create_task(scale())

        async def settled() -> Object | None:
            found = await cluster.get(path)
            status: Object = found["status"]
            ready = status["observedGeneration"] == found["metadata"]["generation"] and status["readyReplicas"] == 1
            return status if ready and status["slo"][0]["windows"][0]["requests"] == 3 * 34 else None

        status: Object = await cluster.eventually("all that was written is there", settled)
        assert sorted(one["shard"] for one in status["requestCounts"]) == [0, 1, 2]


async def test_counts_are_not_forged_through_the_flat_version_either(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS1"}, gpus=1) as cluster:
        path = f"{cluster.services_path}/chat"
        await cluster.create(cluster.services_path, service("chat", qos=SLO))
        await _counted(cluster, [(1, 10, 0)])
        flat = f"{path}/status".replace("v1beta1", "v1alpha1")
        forged = {"status": {"requestCounts": [shard_counts(datetime.now(UTC), [(1, 99, 99)])]}}
        code, answer = await asyncio.to_thread(cluster.plane.admin.raw, "PATCH", flat, forged, MERGE_PATCH)
        assert (code, b"written by the gateway alone" in answer) == (422, True), answer
        assert (await cluster.get(flat.removesuffix("/status")))["status"]["requestCounts"][0]["shard"] == 0


async def test_two_services_of_one_model_hear_of_one_another(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS1"}, gpus=1) as cluster:
        await cluster.create(cluster.services_path, service("chat"))
        await cluster.create(cluster.services_path, service("draft"))
        status = await _says(cluster, "Routable", "DuplicateModel")
        told = next(each["message"] for each in status["conditions"] if each["type"] == "Routable")
        assert "for draft of this namespace goes by that name, too" in told
        await cluster.delete(f"{cluster.services_path}/draft")
        await _says(cluster, "Routable", "Routable")
