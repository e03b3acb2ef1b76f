"""A small fleet on a local control plane for the map's pictures: operator, simulated agents, and models that people ask for.

Everything on it is decided by the operator: the scene says what is there and what is asked for, and nothing of what
comes of it. ``worker-5`` is ruled by a policy of its own, under which its idle GPUs change by themselves.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from e2e.plane import NodeShape, Plane
from e2e.plane.admin import documents
from e2e.run.install import CRD_FILES, GPU_SERVER, ROOT, add_gpu_nodes, apply_objects, install
from e2e.run.processes import start_agents, start_operator, wait_for_heartbeats

Object = dict[str, Any]

AIM: Final = "/apis/aim.amd.com/v1beta1"
FLEET: Final = {
    "worker-0": "CPX/NPS4",
    "worker-1": "CPX/NPS1",
    "worker-2": "QPX/NPS1",
    "worker-3": "DPX/NPS1",
    "worker-4": "SPX/NPS1",
}
LAB: Final = {"worker-5": "CPX/NPS4"}
FAULTS: Final = {"faults": [{"fault": "MemoryErrors", "node": "worker-1", "seconds": 3600}]}
"""One GPU of worker-1 counts memory errors."""
SERVICES: Final = (
    ("chat", "team-chat", "Qwen/Qwen3-8B", "fp8", 18),
    ("assist", "team-chat", "meta-llama/Llama-3.1-8B-Instruct", "fp8", 15),
    ("search", "team-search", "Qwen/Qwen3-4B", "bf16", 24),
    ("rerank", "team-search", "Qwen/Qwen3-0.6B", "bf16", 14),
    ("code", "team-code", "Qwen/Qwen3-14B", "fp8", 20),
    ("vision", "team-code", "Qwen/Qwen3-32B", "bf16", 11),
    ("writer", "team-chat", "meta-llama/Llama-3.3-70B-Instruct", "bf16", 9),
)
"""Name, namespace, model, precision, replicas: of the last one more than there are whole GPUs."""
LIMIT_SECONDS: Final = 240.0
_RELOAD_TIMES: Final = 4.0
"""How much longer than on hardware a change takes, so that there is time to look at one."""


@dataclass(frozen=True)
class Scene:
    """The plane, on which all has come as far as the pictures show it."""

    plane: Plane

    async def until(self, what: str, check: Any) -> None:
        """Wait for it. Raises TimeoutError that says what did not come."""
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                while not await asyncio.to_thread(check):  # noqa: ASYNC110 - asked like a person would
                    await asyncio.sleep(0.5)
        except TimeoutError:
            raise TimeoutError(f"not within {LIMIT_SECONDS:.0f} s: {what}") from None

    def phases(self, kind: str) -> list[str]:
        """The phases of all objects of a kind."""
        return [each.get("status", {}).get("phase", "") for each in self.plane.admin.get(f"{AIM}/{kind}")["items"]]


def policy(name: str, approval: str, spaces: Mapping[str, str]) -> Object:
    """A policy of the nodes and namespaces that bear its name."""
    rules = {"nodeSelector": {"matchLabels": {"fleet": name}}, "namespaceSelector": {"matchLabels": dict(spaces)}}
    changes = {"enabled": True, "approval": approval, "cooldown": "1s"}
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "GPUSharingPolicy",
        "metadata": {"name": name},
        "spec": rules | {"validatedOnly": False, "repartition": changes},
    }


def service(name: str, namespace: str, model: str, precision: str, replicas: int, **sharing: Any) -> Object:
    """An InferenceService as a person writes it."""
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"model": {"id": model, "precision": precision}, "replicas": replicas}
        | ({"gpuSharing": sharing} if sharing else {}),
    }


def asked_for() -> list[Object]:
    """Namespaces, policies, services, and the share group of the story."""
    spaces = [*sorted({of[1] for of in SERVICES}), "lab"]
    shared = documents(ROOT / "examples" / "cooperative-sharing" / "models.yaml")
    return [
        *(namespace(name, "lab" if name == "lab" else "production") for name in spaces),
        policy("production", "Manual", {"fleet": "production"}),
        policy("lab", "Auto", {"fleet": "lab"}),
        *(service(*of) for of in SERVICES),
        *(
            namespace(each["metadata"]["name"], "production") if each["kind"] == "Namespace" else each
            for each in shared
        ),
    ]


def namespace(name: str, fleet: str) -> Object:
    """A namespace that may use those nodes."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"fleet": fleet}}}


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """The fleet at work: models in their places, one that waits for an approval, a node whose modes change now."""
    faults = folder / "faults.json"
    faults.write_bytes(orjson.dumps(FAULTS))
    async with Plane(manifests=CRD_FILES) as plane:
        await asyncio.to_thread(install, plane)
        for nodes, label in ((FLEET, "production"), (LAB, "lab")):
            shape = NodeShape(GPU_SERVER.cpu, GPU_SERVER.memory, GPU_SERVER.pods, {**GPU_SERVER.labels, "fleet": label})
            await asyncio.to_thread(add_gpu_nodes, plane, nodes, shape)
        agents = ("--faults", str(faults))
        async with (
            start_operator(plane, folder),
            start_agents(plane, folder, FLEET | LAB, time_scale=_RELOAD_TIMES, arguments=agents),
        ):
            await asyncio.to_thread(wait_for_heartbeats, plane, [*FLEET, *LAB])
            await asyncio.to_thread(apply_objects, plane, asked_for())
            here = Scene(plane)
            await here.until("all have places but one", lambda: _settled(here))
            await here.until(
                "a plan waits for its approval", lambda: "AwaitingApproval" in here.phases("repartitionplans")
            )
            await asyncio.to_thread(
                apply_objects, plane, [service("trial", "lab", *TRIAL, partition={"mode": "QPX/NPS1"})]
            )
            await here.until("a plan is carried out", lambda: "Applying" in here.phases("repartitionplans"))
            yield here


TRIAL: Final = ("Qwen/Qwen3-30B-A3B", "fp8", 2)
"""What the lab asks for, in a mode that no GPU of its node is in."""


def _settled(here: Scene) -> bool:
    phases = here.phases("gpupartitionclaims")
    wanted = sum(of[-1] for of in SERVICES)  # of the last one waits, and the share group has one claim
    return phases.count("Allocated") >= wanted and "Pending" in phases and phases.count("Bound") == 0
