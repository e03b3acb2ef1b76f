"""Many pods at once: each device once, by the real scheduler's record, and a word for those that found none."""

import asyncio
import time
from pathlib import Path

import pytest

from e2e.plane import Plane
from e2e.run.latency import percentile
from e2e.run.observer import observe
from tests.integration.operator.running import Object, Running, deployment, opt_in, pod, running

pytestmark = [pytest.mark.plane, pytest.mark.timeout(240)]

PODS = 200
PARTITIONS_OF_A_NODE = 64
SINGLE_PODS = 40


def allocated_devices(resource_claims: list[Object]) -> list[tuple[str, str]]:
    """(pool, device) of every allocation, from the scheduler's own record."""
    return [
        (result["pool"], result["device"])
        for claim in resource_claims
        for result in claim.get("status", {}).get("allocation", {}).get("devices", {}).get("results", ())
    ]


async def _run(cluster: Running, wanted: int) -> float:
    """Start PODS pods; seconds from the first request until `wanted` claims are Allocated and their pods run."""
    started = time.monotonic()
    await cluster.create(cluster.deployments_path, deployment("many", PODS, opt_in()))
    await cluster.all_allocated(wanted, limit=120.0)
    seconds = time.monotonic() - started

    async def run() -> bool:
        live = [one for one in await cluster.pods() if one["status"]["phase"] == "Running"]
        return len(live) >= wanted

    await cluster.eventually(f"{wanted} pods run", run, 60.0)
    return seconds


async def test_four_nodes_hold_two_hundred(plane: Plane, tmp_path: Path) -> None:
    async with (
        running(plane, tmp_path, dict.fromkeys("abcd", "CPX/NPS4")) as cluster,
        observe(plane) as seen,
    ):
        seconds = await _run(cluster, PODS)
        devices = allocated_devices(await cluster.resource_claims())
        assert len(devices) == PODS
        assert len(set(devices)) == PODS
        assert sum(claim["status"].get("rebinds", 0) for claim in await cluster.claims()) == 0
        assert not seen.double_allocations
        held = seen.gate_times.milliseconds
        print(
            f"\n{PODS} pods on 4 nodes: all Allocated after {seconds:.2f} s, {PODS / seconds:.0f} pods/s; "
            f"ADDED to gate gone p50 {percentile(held, 50):.0f} ms, p99 {percentile(held, 99):.0f} ms"
        )


async def test_one_pod_at_a_time_is_bound_quickly(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS4"}) as cluster, observe(plane) as seen:
        await cluster.create(cluster.pods_path, pod("first", opt_in()))
        await cluster.all_allocated(1)  # by now the agent's heartbeat has been seen
        async with asyncio.timeout(60.0):
            while not seen.gate_times.milliseconds:  # noqa: ASYNC110 - what the observer has seen
                await asyncio.sleep(0.01)
        seen.gate_times.milliseconds.clear()
        held = seen.gate_times.milliseconds
        for number in range(SINGLE_PODS):
            await cluster.create(cluster.pods_path, pod(f"p{number}", opt_in()))
            async with asyncio.timeout(60.0):
                while len(held) <= number:  # noqa: ASYNC110 - what the observer has seen
                    await asyncio.sleep(0.01)
        await cluster.all_allocated(SINGLE_PODS + 1)
        assert len(held) == SINGLE_PODS
        print(
            f"\n{SINGLE_PODS} pods one by one: ADDED to gate gone p50 {percentile(held, 50):.0f} ms, "
            f"p99 {percentile(held, 99):.0f} ms"
        )


async def test_three_nodes_leave_eight_waiting_with_the_reason(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, dict.fromkeys("abc", "CPX/NPS4")) as cluster:
        held = 3 * PARTITIONS_OF_A_NODE
        await _run(cluster, held)
        devices = allocated_devices(await cluster.resource_claims())
        assert len(devices) == len(set(devices)) == held

        async def rest() -> list[Object] | None:
            found = [(claim, claim.get("status", {})) for claim in await cluster.claims()]
            pending = [
                claim for claim, status in found if status.get("phase") == "Pending" and status.get("conditions")
            ]
            told = [claim for claim in pending if claim["status"]["conditions"][0]["reason"] == "NoFreePartition"]
            return told if len(told) == PODS - held else None

        pending = await cluster.eventually("8 claims wait and say why", rest)
        assert all(f"{held} PartitionHeld" in claim["status"]["explanation"] for claim in pending)
        gated = [one for one in await cluster.pods() if one["spec"].get("schedulingGates")]
        assert len(gated) == PODS - held
