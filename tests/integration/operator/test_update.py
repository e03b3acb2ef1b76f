"""Updates of a service that serves, on the real control plane: beside the old pod, in its place, or not at all."""

from pathlib import Path
from typing import Any

import pytest

from e2e.plane import Plane
from tests.integration.operator.running import LIMIT_SECONDS, Object, Running, opt_in, pod, running, service

pytestmark = pytest.mark.plane

TOO_LARGE = "meta-llama/Llama-3.1-70B-Instruct"
FILLER = "filler"


class Chat:
    """The service under test, on a node with two partitions of 96 GiB."""

    def __init__(self, cluster: Running) -> None:
        self.cluster = cluster
        self.path = f"{cluster.services_path}/chat"

    async def pods(self) -> list[Object]:
        """Its pods that are not on their way out."""
        return [
            each
            for each in await self.cluster.pods()
            if each["metadata"]["name"] != FILLER and "deletionTimestamp" not in each["metadata"]
        ]

    async def only(self) -> str:
        """The uid of its one pod."""
        (one,) = await self.pods()
        return str(one["metadata"]["uid"])

    async def set(self, **spec: Any) -> int:
        """Change the spec; the new generation."""
        return int((await self.cluster.patch(self.path, {"spec": spec}))["metadata"]["generation"])

    async def condition(self, type_: str) -> dict[str, str]:
        status = (await self.cluster.get(self.path)).get("status", {})
        return next((each for each in status.get("conditions", ()) if each["type"] == type_), {})

    async def settled(self, generation: int, by: str = "") -> None:
        """Wait until that generation's pods alone serve, having been rolled out `by` that strategy and no other."""
        seen: list[str] = []

        async def check() -> bool:
            status = (await self.cluster.get(self.path)).get("status", {})
            applied = status.get("applied", {})
            seen.append(applied.get("strategy", ""))
            ready = {each["type"]: each["status"] for each in status.get("conditions", ())}.get("Ready") == "True"
            over = applied.get("generation") == generation and not applied.get("strategy")
            return over and ready and len(await self.pods()) == 1

        await self.cluster.eventually(f"generation {generation} serves", check, LIMIT_SECONDS)
        assert set(seen) <= {"", by}

    async def blocked(self, status: str) -> dict[str, str]:
        async def check() -> dict[str, str] | None:
            found = await self.condition("UpdateBlocked")
            return found if found.get("status") == status else None

        found: dict[str, str] = await self.cluster.eventually(f"UpdateBlocked {status}", check)
        return found


async def test_every_field_is_updated_beside_the_old_pod_or_in_its_place_or_not_at_all(
    plane: Plane, tmp_path: Path
) -> None:
    async with running(plane, tmp_path, {"a": "DPX/NPS1"}, gpus=1) as cluster:
        await cluster.create(cluster.services_path, service("chat"))
        chat = Chat(cluster)
        await chat.settled(1)
        first = await chat.only()

        # a class of requests is no matter of the pods
        generation = await chat.set(qos={"class": "batch"})

        async def observed() -> bool:
            return bool((await cluster.get(chat.path))["status"].get("observedGeneration") == generation)

        await cluster.eventually("the class is observed", observed)
        assert await chat.only() == first

        # room beside it: the new pod serves before the old one goes
        await chat.settled(await chat.set(model={"maxModelLen": 4096}), "Surge")
        second = await chat.only()
        assert second != first
        await chat.settled(await chat.set(model={"precision": "fp16"}), "Surge")

        # the other partition is taken: the old one's is freed first, and kept for the new pod
        await cluster.create(cluster.pods_path, pod(FILLER, opt_in()))
        await cluster.all_allocated(2)
        await chat.settled(await chat.set(model={"maxConcurrency": 2}), "OneByOne")
        await chat.settled(await chat.set(gpuSharing={"partition": {"mode": "DPX/NPS1"}}), "OneByOne")
        await chat.settled(await chat.set(gpuSharing={"partition": {"mode": None}}), "OneByOne")
        before = await chat.only()

        # nowhere: the old pod serves on, and is let alone when the spec goes back
        await chat.set(model={"id": TOO_LARGE, "precision": "bf16"})
        told = await chat.blocked("True")
        assert "serves on" in told["message"]
        assert await chat.only() == before
        assert (await chat.condition("Ready"))["status"] == "True"
        await chat.set(model={"id": "Qwen/Qwen2.5-0.5B-Instruct", "precision": "fp16"})
        await chat.blocked("False")
        assert await chat.only() == before

        # in a mode that no GPU is in and no policy lets us make
        await chat.set(gpuSharing={"partition": {"mode": "CPX/NPS4"}})
        assert "CPX/NPS4" in (await chat.blocked("True"))["message"]
        assert await chat.only() == before
