"""A service that moves to a larger partition because its objectives want one, and serves all the while."""

from pathlib import Path

import pytest

from e2e.plane import Plane
from tests.integration.operator.allocation_history import AllocationHistory
from tests.integration.operator.running import Object, Running, running, service

pytestmark = pytest.mark.plane

LONG_AGO = "2026-01-01T00:00:00Z"
WISH = {"reason": "BurnRateHigh", "wantMemory": "150Gi", "since": LONG_AGO, "observedBurn": "14.4"}


async def _placed(cluster: Running, path: str, mode: str) -> Object:
    async def check() -> Object | None:
        status = (await cluster.get(path)).get("status", {})
        modes = [each["mode"] for each in status.get("placements", ())]
        over = not status.get("applied", {}).get("strategy")
        return status if modes == [mode] and over and status.get("readyReplicas") == 1 else None

    status: Object = await cluster.eventually(f"it serves in {mode}", check)
    return status


def _condition(status: Object, type_: str) -> dict[str, str]:
    return next((each for each in status["conditions"] if each["type"] == type_), {})


async def test_a_wish_for_more_moves_a_service_and_never_leaves_it_without_a_partition(
    plane: Plane, tmp_path: Path
) -> None:
    async with running(plane, tmp_path, {"a": "DPX/NPS1", "b": "SPX/NPS1"}, gpus=1) as cluster:
        path = f"{cluster.services_path}/chat"
        await cluster.create(cluster.services_path, service("chat", gpuSharing={"partition": {}}))
        await _placed(cluster, path, "DPX/NPS1")
        history = AllocationHistory(cluster, "chat")
        await history.begin()

        # without the owner's consent nothing moves, and the owner is told what would help
        await cluster.patch(f"{path}/status", {"status": {"resizeRequest": WISH}})

        async def refused() -> bool:
            return _condition((await cluster.get(path))["status"], "Resized").get("reason") == "ResizeNever"

        await cluster.eventually("the owner is told", refused)
        assert len(await cluster.claims()) == 1
        await history.phase("refused")

        await cluster.patch(path, {"spec": {"gpuSharing": {"partition": {"resize": "Auto"}}}})
        status = await _placed(cluster, path, "SPX/NPS1")
        await history.phase("resized")
        assert status["applied"]["resize"]["minMemory"] == "150Gi"
        assert _condition(status, "Resized")["status"] == "True"
        assert status["resizeRequest"]["observedBurn"] == "14.4"

        for told in await history.counts():
            assert told["refused"] == [1]
            # the old pod's claim may be there still for a moment when the new one serves alone
            assert told["resized"] in ([1, 2], [1, 2, 1])
