"""Updates of a service that serves, on the real control plane: beside the old pod, in its place, or not at all.

What a strategy allows is read from the whole history of its claims, so that no window of two or none is overlooked.
"""

from pathlib import Path
from typing import Any

import pytest

from e2e.plane import Plane
from tests.integration.operator.allocation_history import AllocationHistory
from tests.integration.operator.running import AIM, LIMIT_SECONDS, Object, Running, opt_in, pod, running, service

pytestmark = [pytest.mark.plane, pytest.mark.timeout(300)]

FOR_A_WHOLE_GPU = "meta-llama/Llama-3.1-70B-Instruct"
OTHER = "Qwen/Qwen3-4B"
FILLER = "filler"


class Chat:
    """The service under test. A phase of its history ends where it has settled."""

    def __init__(self, cluster: Running) -> None:
        self.cluster = cluster
        self.path = f"{cluster.services_path}/chat"
        self.history = AllocationHistory(cluster, "chat")

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

    async def settled(self, generation: int, by: str = "", *, pods: int = 1) -> None:
        """Wait until that generation's pods alone serve, having been rolled out `by` that strategy and no other."""
        seen: list[str] = []

        async def check() -> bool:
            status = (await self.cluster.get(self.path)).get("status", {})
            applied = status.get("applied", {})
            seen.append(applied.get("strategy", ""))
            ready = {each["type"]: each["status"] for each in status.get("conditions", ())}.get("Ready") == "True"
            over = applied.get("generation") == generation and not applied.get("strategy")
            return over and ready and await self.has(pods)

        await self.cluster.eventually(f"generation {generation} serves", check, LIMIT_SECONDS)
        assert set(seen) <= {"", by}

    async def has(self, pods: int) -> bool:
        """Whether so many pods have an allocation, and nothing is left of others."""
        claims = [each for each in await self.cluster.claims() if each["spec"]["podRef"]["name"] != FILLER]
        allocated = all(each.get("status", {}).get("phase") == "Allocated" for each in claims)
        return allocated and len(await self.pods()) == len(claims) == pods

    async def updated(self, phase: str, by: str, *, pods: int = 1, **spec: Any) -> None:
        """Change the spec, and end the phase of that name once it is rolled out `by` that strategy."""
        await self.settled(await self.set(**spec), by, pods=pods)
        await self.history.phase(phase)

    async def blocked(self, status: str) -> dict[str, str]:
        async def check() -> dict[str, str] | None:
            found = await self.condition("UpdateBlocked")
            return found if found.get("status") == status else None

        found: dict[str, str] = await self.cluster.eventually(f"UpdateBlocked {status}", check)
        return found


SURGE, ONE_BY_ONE, KEPT = [1, 2, 1], [1, 0, 1], [1]
WANT = {
    "class": KEPT,
    "length": SURGE,
    "precision": SURGE,
    "model": SURGE,
    "concurrency": ONE_BY_ONE,
    "mode": ONE_BY_ONE,
    "any mode": ONE_BY_ONE,
    "memory": ONE_BY_ONE,
    "blocked": KEPT,
    "several": ONE_BY_ONE,
    "one again": ONE_BY_ONE,
    "replicas": [1, 2],
}
"""How many pods of the service had an allocation, from change to change."""


async def test_every_field_is_updated_with_no_allocation_more_or_fewer_than_its_strategy_allows(
    plane: Plane, tmp_path: Path
) -> None:
    async with running(plane, tmp_path, {"a": "DPX/NPS1", "b": "SPX/NPS1"}, gpus=1) as cluster:
        await _cordon(cluster, True)
        await cluster.create(cluster.services_path, service("chat"))
        chat = Chat(cluster)
        await chat.settled(1)
        await chat.history.begin()
        await _a_class_is_no_matter_of_the_pods(chat)
        await _room_beside_it(chat)
        await _in_its_place(chat)
        await _nowhere_and_then_somewhere(chat)
        await _all_at_once_where_only_a_change_of_modes_makes_room(chat)
        for told in await chat.history.counts():
            recreated = told.pop("recreated")
            assert told == WANT
            # the new ones' places are not those of the old ones, so that what goes and what comes may overlap
            assert (recreated[0], max(recreated), recreated[-1]) == (2, 2, 2)
            assert min(recreated) < 2


async def _cordon(cluster: Running, cordoned: bool) -> None:
    """Node b is for the last phase."""
    await cluster.patch(f"/api/v1/nodes/{cluster.names['b']}", {"spec": {"unschedulable": cordoned or None}})


async def _a_class_is_no_matter_of_the_pods(chat: Chat) -> None:
    first = await chat.only()
    generation = await chat.set(qos={"class": "batch"})

    async def observed() -> bool:
        return bool((await chat.cluster.get(chat.path))["status"].get("observedGeneration") == generation)

    await chat.cluster.eventually("the class is observed", observed)
    assert await chat.only() == first
    await chat.history.phase("class")


async def _room_beside_it(chat: Chat) -> None:
    """The new pod serves before the old one goes."""
    first = await chat.only()
    await chat.updated("length", "Surge", model={"maxModelLen": 4096})
    assert await chat.only() != first
    await chat.updated("precision", "Surge", model={"precision": "fp16"})
    await chat.updated("model", "Surge", model={"id": OTHER})


async def _in_its_place(chat: Chat) -> None:
    """The other partition is taken: the old pod's is freed first, and kept for the new one."""
    await chat.cluster.create(chat.cluster.pods_path, pod(FILLER, opt_in()))
    await chat.cluster.all_allocated(2)
    await chat.updated("concurrency", "OneByOne", model={"maxConcurrency": 2})
    await chat.updated("mode", "OneByOne", gpuSharing={"partition": {"mode": "DPX/NPS1"}})
    await chat.updated("any mode", "OneByOne", gpuSharing={"partition": {"mode": None}})
    await chat.updated("memory", "OneByOne", gpuSharing={"partition": {"minMemory": "60Gi"}})


async def _nowhere_and_then_somewhere(chat: Chat) -> None:
    """The old pod serves on, and is let alone when the spec goes back, until there is room after all."""
    before = await chat.only()
    await chat.set(model={"id": FOR_A_WHOLE_GPU, "precision": "bf16"})
    assert "serves on" in (await chat.blocked("True"))["message"]
    assert (await chat.condition("Ready"))["status"] == "True"
    await chat.set(model={"id": OTHER, "precision": "fp16"})
    await chat.blocked("False")

    # in a mode that no GPU is in and no policy lets us make
    await chat.set(gpuSharing={"partition": {"mode": "CPX/NPS4", "minMemory": None}})
    assert "CPX/NPS4" in (await chat.blocked("True"))["message"]
    generation = await chat.set(gpuSharing={"partition": {"mode": None, "count": 2}})

    async def of_two() -> bool:
        return "TooFewTogether" in (await chat.condition("UpdateBlocked")).get("message", "")

    await chat.cluster.eventually("it is told that there are not two", of_two)
    assert await chat.only() == before
    await chat.history.phase("blocked")
    await chat.cluster.delete(f"{chat.cluster.pods_path}/{FILLER}")
    await chat.settled(generation, "OneByOne")
    await chat.history.phase("several")
    (claim,) = await chat.cluster.claims()
    assert len(claim["status"]["allocation"]["devices"]) == 2
    await chat.updated("one again", "OneByOne", gpuSharing={"partition": {"count": 1}})


async def _all_at_once_where_only_a_change_of_modes_makes_room(chat: Chat) -> None:
    """Both pods are on the GPU that is to be whole for one of the new ones."""
    await chat.set(replicas=2)
    await chat.cluster.eventually("both replicas have an allocation", lambda: chat.has(2))
    await chat.history.phase("replicas")
    await _cordon(chat.cluster, False)
    rules = {"enabled": True, "approval": "Auto", "cooldown": "1s"}
    await chat.cluster.rule(
        {
            "apiVersion": AIM.removeprefix("/apis/"),
            "kind": "GPUSharingPolicy",
            "metadata": {"name": "changes"},
            "spec": {"validatedOnly": False, "repartition": rules},
        }
    )
    model = {"id": FOR_A_WHOLE_GPU, "precision": "bf16"}
    await chat.updated("recreated", "Recreate", pods=2, model=model)
    assert {claim["status"]["allocation"]["devices"][0]["mode"] for claim in await chat.cluster.claims()} == {
        "SPX/NPS1"
    }
