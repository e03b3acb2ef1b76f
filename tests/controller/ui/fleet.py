"""A cluster in memory that has one of everything that the map shows, of any number of nodes."""

from typing import Any, Final

from controller.cli.explain_claim import asked_of
from controller.cli.live_cluster import Live
from controller.placement.decision import Unplaced
from controller.placement.explanation import Explanation
from controller.placement.nearest import nearest
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Gpu
from controller.reconcilers.gpu_partition_claim.explaining import circumstances
from controller.sizing.catalog import Catalog
from controller.sizing.precision import Precision
from controller.sizing.requirement import SizingRequest
from controller.state.models import Models
from tests.builders.claim import allocation, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import bdf, gpu, with_partition
from tests.builders.gpu_node import gpu_node
from tests.builders.plan import plan
from tests.builders.pod import OPTED_IN, pod
from tests.builders.policy import policy_object

Object = dict[str, Any]

MODES: Final = (
    ("CPX/NPS4", "CPX/NPS4", "QPX/NPS4", "QPX/NPS4", "CPX/NPS4", "QPX/NPS4", "CPX/NPS4", "CPX/NPS4"),
    ("CPX/NPS1", "DPX/NPS1", "SPX/NPS1", "QPX/NPS1", "CPX/NPS1", "CPX/NPS1", "DPX/NPS1", "SPX/NPS1"),
)
"""Of the GPUs of every other node: the memory mode is a whole node's."""
MODELS: Final = (
    ("chat", "team-a", "Qwen/Qwen3-8B"),
    ("code", "team-a", "Qwen/Qwen3-14B"),
    ("search", "team-b", "Qwen/Qwen3-4B"),
    ("assist", "team-b", "meta-llama/Llama-3.1-8B-Instruct"),
    ("draft", "team-c", "mistralai/Mistral-7B-Instruct-v0.3"),
)
WHOLE: Final = (
    ("writer", "team-a", "meta-llama/Llama-3.3-70B-Instruct"),
    ("vision", "team-b", "Qwen/Qwen3-32B"),
)
"""For which there are too few large partitions."""
STATES: Final = {"chat": "kept", "code": "burning", "search": "missed", "draft": "kept"}
"""How services keep their objectives; the others have none."""
PRIORITIES: Final = {"writer": 100}
"""Of services' pods, where not 0: those of a service have the same, and none leaves for another."""
IN_FP8: Final = ("Qwen/Qwen3-8B", "Qwen/Qwen3-14B", "meta-llama/Llama-3.1-8B-Instruct")
_SIZING: Final = Models(Catalog.bundled())
_LARGE: Final = 80 << 30
"""Partitions above are all held: there the large models go, and one more of each waits."""


def sized(model: str) -> tuple[int, str]:
    """What the model needs with 8 sequences of 8192 tokens, bytes; its precision."""
    asked = Precision.FP8 if model in IN_FP8 else Precision.AUTO
    found = _SIZING.size(SizingRequest(model, asked, 8192, 8))
    return found.total_bytes, found.precision.value


def namespace_object(name: str) -> Object:
    """A Namespace as the API server has it."""
    labels = {"kubernetes.io/metadata.name": name}
    return {"kind": "Namespace", "metadata": {"name": name, "uid": f"ns-{name}", "labels": labels}}


def service(name: str, namespace: str, model: str, state: str = "none") -> Object:
    """An InferenceService whose objective is kept, burning, missed, or that has none."""
    metadata = {"name": name, "namespace": namespace, "uid": f"svc-{namespace}-{name}", "resourceVersion": "1"}
    target = {"metric": "timeToFirstToken", "percentile": "p95", "threshold": "500ms"}
    met = {"kept": "True", "burning": "False", "missed": "False"}.get(state, "Unknown")
    left = {"kept": "71.2", "burning": "32.5", "missed": "-4.1"}.get(state)
    told: Object = target | {"needed": "94.05", "attainment": "96.8", "budgetLeft": left, "windows": []}
    if met == "False":
        told |= {"burning": "6", "attainment": "92.1"}
    condition = {"type": "SLOMet", "status": met, "reason": "X", "message": f"objectives {state}"}
    condition |= {"lastTransitionTime": "2026-01-01T00:00:00Z"}
    status: Object = {"replicas": 2, "readyReplicas": 2, "conditions": [condition]}
    slo = [] if state == "none" else [target]
    return {
        "metadata": metadata,
        "spec": {"model": {"id": model}, "replicas": 2, "qos": {"slo": slo}},
        "status": status | ({} if state == "none" else {"slo": [told]}),
    }


class FleetOnPaper(FedCluster):
    """Adds models and their claims to nodes, as an operator would have left them."""

    def __init__(self) -> None:
        super().__init__()
        self.sizing = Models(Catalog.bundled())
        self._count = 0

    def hold(self, node: str, whole: Gpu, index: int, of: tuple[str, str, str], *, phase: str = "Allocated") -> str:
        """A pod of a service holds a partition; the claim's key."""
        name, namespace, model = of
        self._count += 1
        own = f"{name}-{self._count}"
        labels = {"aim.amd.com/inference-service": name}
        annotations = OPTED_IN | {"aim.amd.com/model-id": model}
        metadata = {"labels": labels}
        stored = pod(
            own,
            namespace=namespace,
            claim=f"aim-{own}",
            gates=(),
            node=node,
            phase="Running",
            annotations=annotations,
            metadata=metadata,
            priority=PRIORITIES.get(name, 0),
        )
        ready = "True" if phase == "Allocated" else "False"
        stored["status"]["conditions"] = [{"type": "Ready", "status": ready}]
        self.put(self.cluster.pods, stored)
        number = int(whole.bdf.split(":")[1], 16) - 1
        status = {"phase": phase, "allocation": allocation(node, number, index, of=whole)}
        needed, precision = sized(model)
        held = claim(f"aim-{own}", namespace=namespace, pod=own, memory=str(needed), precision=precision, status=status)
        held["spec"]["model"] = {"id": model, "maxConcurrency": 8, "maxModelLen": 8192}
        self.put(self.cluster.claims, held)
        return f"{namespace}/aim-{own}"

    def wait(self, of: tuple[str, str, str]) -> str:
        """A further pod of a service waits, and its claim says why, in the operator's words; the claim's key."""
        name, namespace, model = of
        annotations = OPTED_IN | {"aim.amd.com/model-id": model}
        labels = {"labels": {"aim.amd.com/inference-service": name}}
        own, priority = f"{name}-0", PRIORITIES.get(name, 0)
        stored = pod(
            own, namespace=namespace, claim=f"aim-{name}", annotations=annotations, priority=priority, metadata=labels
        )
        self.put(self.cluster.pods, stored)
        needed, precision = sized(model)
        asked = claim(f"aim-{name}", namespace=namespace, pod=own, memory=str(needed), precision=precision)
        asked["spec"]["model"] = {"id": model, "maxConcurrency": 8, "maxModelLen": 8192}
        asked["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
        self.put(self.cluster.claims, asked)
        explanation = self._explained(f"{namespace}/aim-{name}")
        bound = {"type": "Bound", "status": "False", "reason": explanation.unplaced.reason}
        bound |= {"message": explanation.lines()[0], "lastTransitionTime": "2026-01-01T00:00:00Z"}
        asked["status"] = {"phase": "Pending", "explanation": explanation.text(), "conditions": [bound]}
        self.put(self.cluster.claims, asked)
        return f"{namespace}/aim-{name}"

    def _explained(self, key: str) -> Explanation:
        """By the operator's scheduler, on the cluster as it is."""
        asked = asked_of(Live(self.cluster, self.sizing), key)
        assert asked is not None
        snapshot, scheduler = self.cluster.snapshot(), ModelScheduler()
        with snapshot.without([key]):
            decision = scheduler.schedule(snapshot, asked.demand)
            assert isinstance(decision, Unplaced), f"{key} has a place"
            around = circumstances(self.cluster, asked.demand, self.sizing, asked.pod, asked.service)
            return Explanation(asked.demand, decision, nearest(snapshot, asked.demand, around, scheduler.scorer))


def fleet(nodes: int = 6, *, full: bool = False, idle: bool = False) -> FleetOnPaper:
    """`nodes` nodes of eight MI300X, most of whose partitions are held; with trouble, plans and waiting claims.

    `full`: all in CPX, 64 partitions a node. `idle`: the same nodes, on which nothing runs.
    """
    fed = FleetOnPaper()
    for name in ("default", "team-a", "team-b", "team-c"):
        fed.put(fed.cluster.namespaces, namespace_object(name))
    fed.put(fed.cluster.policies, policy_object("shared", validatedOnly=False, repartition={"enabled": True}))
    for number in range(nodes):
        _node(fed, number, full=full, idle=idle)
    if idle:
        return fed
    for of in (*MODELS, *WHOLE):
        fed.put(fed.cluster.services, service(*of, STATES.get(of[0], "none")))
    writer, vision = WHOLE
    fed.wait(writer)
    fed.wait(vision)
    if nodes > 1 and not full:
        _plans(fed, nodes)
    return fed


def _node(fed: FleetOnPaper, number: int, *, full: bool, idle: bool) -> None:
    name, modes = f"worker-{number}", MODES[number % 2]
    gpus = [gpu(index, "CPX/NPS4" if full else modes[index], hive=0) for index in range(8)]
    if number == 1:
        gpus[4] = with_partition(gpus[4], 0, healthy=False)
    fed.add_node(name, *gpus, alive=number != 3)
    if number == 2:
        quarantined = gpu_node(name, *gpus)
        entry = {"bdf": gpus[0].bdf, "partition": 1, "mode": str(gpus[0].mode), "reason": "Broken"}
        quarantined["spec"]["quarantine"] = [entry | {"since": "2026-01-01T00:00:00Z"}]
        fed.put(fed.cluster.gpu_nodes, quarantined)
    for index, whole in enumerate(gpus):
        # what a plan changes has been drained
        if idle or (number == 1 and index == DRAINED and not full):
            continue
        for place, one in enumerate(whole.partitions):
            free = one.bytes < _LARGE and (number + index + place) % 4 == 3
            if free or (number == 1 and index == 4 and place == 0):
                continue
            phase = "Bound" if (number + index * 3 + place) % 11 == 0 else "Allocated"
            fed.hold(name, whole, place, _fitting(one.bytes, index + number), phase=phase)


def _fitting(size: int, turn: int) -> tuple[str, str, str]:
    """A service whose model goes into partitions of that many bytes; large ones are for large models."""
    among = [of for of in (WHOLE if size > _LARGE else MODELS) if sized(of[2])[0] <= size]
    return among[0] if size > _LARGE else among[turn % len(among)]


DRAINED: Final = 5
"""The GPU of worker-1 that a plan changes."""


def _plans(fed: FleetOnPaper, nodes: int) -> None:
    """One that is under way for the claim that waits, on a GPU that its pods have left, and one that waits for a word."""
    running = _plan("plan-worker-1-1", "worker-1", DRAINED, ("CPX/NPS1", "SPX/NPS1"), "writer", phase="Applying")
    running["status"] |= {
        "message": "setting the compute mode",
        "steps": [
            {
                "name": "Draining",
                "startTime": "2026-01-01T00:00:00Z",
                "endTime": "2026-01-01T00:01:10Z",
                "result": "Succeeded",
            },
            {
                "name": "Quiescing",
                "startTime": "2026-01-01T00:01:10Z",
                "endTime": "2026-01-01T00:01:14Z",
                "result": "Succeeded",
            },
            {"name": "Applying", "startTime": "2026-01-01T00:01:14Z"},
        ],
        "affectedPods": [{"namespace": "team-b", "name": "assist-7"}],
        "before": ["team-b/assist-7: worker-1 0000:06:00.0/0"],
        "after": ["team-b/assist-7: worker-2 0000:05:00.0/1"],
    }
    waiting = _plan(
        "plan-last-1", f"worker-{nodes - 1}", 3, ("QPX/NPS1", "DPX/NPS1"), "vision", phase="AwaitingApproval"
    )
    waiting["status"]["message"] = "waits for approval"
    for each in (running, waiting):
        fed.put(fed.cluster.plans, each)


def _plan(name: str, node: str, number: int, modes: tuple[str, str], of: str, *, phase: str) -> Object:
    """A plan for the claim of a service in `WHOLE` that waits."""
    found = plan(name, node, phase=phase, numbers=(number,))
    (namespace, model), (before, after) = next(rest for own, *rest in WHOLE if own == of), modes
    found["spec"] |= {
        side: {"gpus": [{"bdf": bdf(number), "mode": mode}]} for side, mode in (("from", before), ("to", after))
    }
    found["spec"]["reason"] = f"claim {namespace}/aim-{of} needs {sized(model)[0] / 2**30:.1f} GiB"
    return found
