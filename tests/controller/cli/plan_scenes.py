"""The scenes of the golden texts of `aim-gpu plan --cluster`, and what writes them.

``python -m tests.controller.cli.plan_scenes`` writes tests/data/plan/ anew; look at the difference.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from controller.cli import live_plan_view
from controller.cli.documents import parse_documents
from controller.cli.live_budgets import budget_of
from controller.cli.live_cluster import Live
from controller.cli.live_plan import LivePlan, plan_live
from controller.cli.wanted import gather
from controller.placement.scheduler import ModelScheduler
from tests.builders.cluster import FedCluster
from tests.builders.gpu import gpu
from tests.controller.cli.explain_scenes import SIZING, WIDTHS, asks, cluster_of, holds

GOLDEN: Final = Path(__file__).parents[2] / "data" / "plan"
SMALL, HALF, WHOLE = "Qwen/Qwen3-4B", "Qwen/Qwen3-32B", "meta-llama/Llama-3.3-70B-Instruct"
AUTO: Final = {"validatedOnly": False, "repartition": {"enabled": True, "approval": "Auto"}}

Object = dict[str, Any]


def workload(name: str, replicas: int = 1, model: str = SMALL, priority: int = 0, **annotations: str) -> Object:
    """An annotated Deployment of team-a; underscores stand for dashes."""
    own = {f"aim.amd.com/{key.replace('_', '-')}": value for key, value in annotations.items()}
    asked = {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": model} | own
    spec: Object = {"containers": [{"name": "engine", "image": "engine"}]} | (
        {"priority": priority} if priority else {}
    )
    labels = {"app": name}
    template = {"metadata": {"labels": labels, "annotations": asked}, "spec": spec}
    metadata = {"name": name, "namespace": "team-a"}
    whole = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": whole}


def planned(fed: FedCluster, *objects: Object, budgets: Iterable[Object] = ()) -> LivePlan:
    """The plan of these objects, on a cluster with these PodDisruptionBudgets."""
    wanted = gather(list(parse_documents(Path("given.yaml"), "\n---\n".join(map(json.dumps, objects)))))
    live = Live(fed.cluster, SIZING, budgets=tuple(map(budget_of, budgets)))
    return plan_live(live, wanted, ModelScheduler.by_policy())


def gangs() -> LivePlan:
    """One of three that fits, and one of four for which there are three partitions."""
    fed = cluster_of(gpu(0, "DPX/NPS1"), gpu(1, "DPX/NPS1"), gpu(2, "DPX/NPS1"))
    whole = workload("whole", 3, gang="ranks", gang_size="3")
    return planned(
        fed, whole, workload("torn", 4, gang="more", gang_size="4"), workload("short", gang="x", gang_size="2")
    )


def preemption() -> LivePlan:
    """Two pods of lower priority hold the only large partitions; small ones are free for whom comes after them."""
    fed = cluster_of(gpu(0, "DPX/NPS1"))
    fed.add_node("worker-1", gpu(0, "CPX/NPS4"))
    for number in (0, 1):
        holds(fed, f"aim-theirs-{number}", number, of=gpu(0, "DPX/NPS1"))
    return planned(fed, workload("urgent", model=HALF, priority=9), workload("meek", model=HALF))


def budgets() -> LivePlan:
    """Four pods hold all halves. Of two, one may leave by their budget; the third may not at all, the fourth may."""
    halves = [gpu(number, "DPX/NPS1") for number in range(2)]
    fed = cluster_of(*halves)
    for number in range(4):
        holds(fed, f"aim-theirs-{number}", number % 2, number=number // 2, of=halves[number // 2])
        serves(fed, f"team-b/aim-theirs-{number}-0", {"app": ("chat", "chat", "batch", "free")[number]})
    given = [disruption_budget("chat", allowed=1), disruption_budget("batch", allowed=0)]
    return planned(fed, workload("urgent", 3, HALF, priority=9), budgets=given)


def reserved() -> LivePlan:
    """One half is being left for a pod of the files that waits already; somebody else's claim asks for it, too."""
    half = gpu(0, "DPX/NPS1")
    fed = cluster_of(half)
    for number in (0, 1):
        holds(fed, f"aim-theirs-{number}", number, of=half)
    kept = {"node": "worker-0", "devices": [{"bdf": half.bdf, "partition": 1}], "reason": "Preemption"}
    nomination = kept | {"victims": ["uid-aim-theirs-1-0"], "time": "2026-01-01T00:00:00Z"}
    wanted = workload("waits", model=HALF, priority=9)
    need = live_plan_view.document(planned(cluster_of(half), wanted))["services"][0]["need_bytes"]
    status = {"phase": "Pending", "nomination": nomination}
    asks(fed, "aim-waits", memory=str(need), model=HALF, priority=9, status=status)
    serves(fed, "team-a/aim-waits-0", {"app": "waits"}, ready=False)
    return planned(fed, wanted, workload("late", model=HALF, priority=9))


def serves(fed: FedCluster, key: str, labels: Mapping[str, str], *, ready: bool = True) -> None:
    """The pod has these labels, and is ready."""
    stored = msgspec.to_builtins(fed.cluster.pods.store.get(key))
    stored["metadata"]["labels"] = dict(labels)
    stored["status"]["conditions"] = [{"type": "Ready", "status": "True"}] if ready else []
    fed.put(fed.cluster.pods, stored)


def disruption_budget(name: str, *, allowed: int, **more: Any) -> Object:
    """A PodDisruptionBudget of team-b for the pods of the app of its name; `more` is its spec's."""
    return {
        "metadata": {"name": name, "namespace": "team-b", "generation": 1},
        "spec": {"selector": {"matchLabels": {"app": name}}, **more},
        "status": {"disruptionsAllowed": allowed, "observedGeneration": 1, "currentHealthy": 2, "desiredHealthy": 2},
    }


def joint_layouts() -> LivePlan:
    """Four of half a GPU and one of a whole one, on three idle GPUs of which every partition is too small."""
    fed = cluster_of(*(gpu(number, "CPX/NPS1") for number in range(3)), **AUTO)
    return planned(fed, workload("half", 4, HALF), workload("whole", 1, WHOLE), workload("late", 1, WHOLE))


SCENES: Final[Mapping[str, Callable[[], LivePlan]]] = {
    "gangs": gangs,
    "preemption": preemption,
    "budgets": budgets,
    "reserved": reserved,
    "joint": joint_layouts,
}


def texts() -> Mapping[str, str]:
    """Every golden text by its file's name."""
    found = {}
    for name, scene in SCENES.items():
        plan = scene()
        for width in WIDTHS:
            found[f"{name}-{width}.txt"] = live_plan_view.page(plan, width) + live_plan_view.summary(plan) + "\n"
    return found


def main() -> None:
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (GOLDEN / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
