"""The scenes of the golden texts of `aim-gpu explain` and `plan --cluster`, and what writes them.

``python -m tests.controller.cli.explain_scenes`` writes tests/data/explain/ anew; look at the difference.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from api.v1beta1 import GPUPartitionClaim
from controller.cli import live_plan_view
from controller.cli.access import Access
from controller.cli.documents import parse_documents
from controller.cli.explain_node import explain_node
from controller.cli.explain_read import Deciding, claim_document
from controller.cli.explain_view import page
from controller.cli.live_cluster import Live
from controller.cli.live_plan import plan_live
from controller.cli.wanted import gather
from controller.placement.scheduler import ModelScheduler
from controller.runtime.client.resource import Resource
from controller.sizing.catalog import Catalog
from controller.state.models import Models
from tests.builders.claim import allocation, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import gpu
from tests.builders.pod import OPTED_IN, pod
from tests.builders.policy import policy_object

GOLDEN: Final = Path(__file__).parents[2] / "data" / "explain"
WIDTHS: Final = (80, 160)
SIZING: Final = Models(Catalog.bundled())
SCHEDULER: Final = ModelScheduler()

Document = dict[str, Any]


class Rights(Access):
    """Knows whether the person may get things of others, without an API server."""

    def __init__(self, *, names: bool) -> None:
        super().__init__(client=None)  # type: ignore[arg-type]
        self._names = names

    async def may_get(self, resource: Resource, namespace: str, name: str) -> bool:
        return self._names or namespace == "team-a"


def cluster_of(*gpus: Any, **policy: Any) -> FedCluster:
    """One node with these GPUs; with a policy where one is given."""
    fed = FedCluster()
    if policy:
        fed.put(fed.cluster.policies, policy_object("shared", **policy))
    fed.add_node("worker-0", *gpus)
    return fed


def asks(fed: FedCluster, name: str, *, memory: str, namespace: str = "team-a", model: str = "", **more: Any) -> str:
    """A gated pod and its pending claim; the claim's key."""
    annotations = OPTED_IN | {"aim.amd.com/model-id": model or "meta-llama/Llama-3.1-8B-Instruct"}
    priority = {"priority": more.pop("priority")} if "priority" in more else {}
    stored = pod(f"{name}-0", namespace=namespace, claim=name, annotations=annotations, **priority)
    fed.put(fed.cluster.pods, stored)
    fed.put(
        fed.cluster.claims, claim(name, namespace=namespace, memory=memory, pod=f"{name}-0", precision="bf16", **more)
    )
    return f"{namespace}/{name}"


def holds(fed: FedCluster, name: str, index: int, *, namespace: str = "team-b", number: int = 0, of: Any = None) -> str:
    """A running pod that holds one partition of the node."""
    owner = {
        "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u", "controller": True}
        ]
    }
    stored = pod(
        f"{name}-0", namespace=namespace, claim=name, gates=(), node="worker-0", phase="Running", metadata=owner
    )
    fed.put(fed.cluster.pods, stored)
    status = {"phase": "Allocated", "allocation": allocation("worker-0", number, index, of=of)}
    fed.put(fed.cluster.claims, claim(name, namespace=namespace, pod=f"{name}-0", status=status))
    return f"{namespace}/{name}"


async def of_claim(fed: FedCluster, key: str, *, names: bool = True, live: bool = True) -> Document:
    """The answer about one claim."""
    namespace, _, name = key.partition("/")
    stored = fed.cluster.claims.store.get(key)
    found = GPUPartitionClaim.model_validate(stored)
    view = Live(fed.cluster, SIZING) if live else None
    return {
        "kind": "claim",
        "namespace": namespace,
        "name": name,
        "notes": [],
        "missingRights": [] if live else ["list gpunodes.aim.amd.com", "list pods"],
        "claims": [await claim_document(found, Deciding(view, SCHEDULER) if view else None, Rights(names=names))],
        "history": [
            {
                "time": "2026-01-01T00:00:10Z",
                "type": "Warning",
                "reason": "NoPartitionFits",
                "object": f"Pod {name}-0",
                "message": "0 of 8 partitions take it",
                "count": 3,
            }
        ],
    }


async def waits_for_an_approval() -> Document:
    fed = cluster_of(gpu(0, "CPX/NPS1"), validatedOnly=False, repartition={"enabled": True})
    return await of_claim(fed, asks(fed, "aim-waits", memory="60Gi"))


async def waits_for_others(*, names: bool = True) -> Document:
    fed = cluster_of(gpu(0, "DPX/NPS1"))
    holds(fed, "aim-theirs", 0, of=gpu(0, "DPX/NPS1"))
    holds(fed, "aim-ours", 1, namespace="team-a", of=gpu(0, "DPX/NPS1"))
    return await of_claim(fed, asks(fed, "aim-waits", memory="60Gi", priority=100), names=names)


async def waits_for_others_whose_names_are_hidden() -> Document:
    return await waits_for_others(names=False)


async def is_beyond_its_quota() -> Document:
    fed = cluster_of(gpu(0, "SPX/NPS1"), gpu(1, "QPX/NPS1"), quotas=[{"namespace": "team-a", "max": "40Gi"}])
    return await of_claim(fed, asks(fed, "aim-waits", memory="30Gi"))


async def is_too_large_for_any_gpu() -> Document:
    fed = cluster_of(*[gpu(number, "SPX/NPS1") for number in range(4)])
    return await of_claim(fed, asks(fed, "aim-waits", memory="671113Mi", model="deepseek-ai/DeepSeek-V3"))


async def is_placed() -> Document:
    fed = cluster_of(gpu(0), gpu(1, "QPX/NPS4"))
    return await of_claim(fed, holds(fed, "aim-ours", 2, namespace="team-a"))


async def is_shown_as_written() -> Document:
    fed = cluster_of(gpu(0))
    status = {
        "phase": "Pending",
        "explanation": "NoFreePartition: none of 8 partitions takes 16.0 GiB\nRefused:\n- 8 x",
    }
    return await of_claim(fed, asks(fed, "aim-waits", memory="16Gi", status=status), live=False)


async def of_a_node() -> Document:
    fed = cluster_of(gpu(0), gpu(1, "CPX/NPS4", unhealthy=[3]), validatedOnly=False, repartition={"enabled": True})
    holds(fed, "aim-theirs", 0)
    fed.add_node("worker-0", gpu(0), gpu(1, "CPX/NPS4", unhealthy=[3]), unschedulable=True)
    found = await explain_node(Live(fed.cluster, SIZING), "worker-0", Rights(names=False))
    condition = {"type": "Ready", "status": "True", "reason": "InventoryRead"}
    return {"kind": "node", "name": "worker-0", "notes": [], "conditions": [condition], "node": found}


SCENES: Final[Mapping[str, Callable[[], Awaitable[Document]]]] = {
    "approval": waits_for_an_approval,
    "others": waits_for_others,
    "others-hidden": waits_for_others_whose_names_are_hidden,
    "quota": is_beyond_its_quota,
    "large": is_too_large_for_any_gpu,
    "placed": is_placed,
    "written": is_shown_as_written,
    "node": of_a_node,
}


FILES: Final = """
apiVersion: aim.amd.com/v1beta1
kind: InferenceService
metadata: {name: chat, namespace: team-a}
spec: {model: {id: Qwen/Qwen3-4B}, replicas: 2}
---
apiVersion: aim.amd.com/v1beta1
kind: InferenceService
metadata: {name: large, namespace: team-a}
spec: {model: {id: meta-llama/Llama-3.3-70B-Instruct}, replicas: 2}
"""


def plan_text() -> str:
    """What a plan of `FILES` says of a node with one idle GPU in SPX and one in CPX, of which others hold a part."""
    fed = cluster_of(
        gpu(0, "CPX/NPS1"), gpu(1, "CPX/NPS1"), validatedOnly=False, repartition={"enabled": True, "approval": "Auto"}
    )
    holds(fed, "aim-theirs", 0, of=gpu(0, "CPX/NPS1"))
    wanted = gather(list(parse_documents(Path("given.yaml"), FILES)))
    found = plan_live(Live(fed.cluster, SIZING), wanted, SCHEDULER)
    return "\n".join([*live_plan_view.lines(found), live_plan_view.summary(found)]) + "\n"


async def texts() -> Mapping[str, str]:
    """Every golden text by its file's name."""
    found = {"plan.txt": plan_text()}
    for name, scene in SCENES.items():
        document = await scene()
        found |= {f"{name}-{width}.txt": page(document, width) for width in WIDTHS}
    return found


def main() -> None:
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, text in asyncio.run(texts()).items():
        (GOLDEN / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
