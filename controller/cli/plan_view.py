"""A RepartitionPlan as a person reads it before a decision: GPUs before and after, pods that have to move."""

from dataclasses import dataclass
from typing import Any

from rich.table import Table

from api.v1beta1 import RepartitionPlan
from controller.cli.output import note, print_table


@dataclass(frozen=True, slots=True)
class GpuRow:
    """One GPU with its modes before and after."""

    bdf: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class PodRow:
    """One pod that has to move, with its place before and after: node, partition and mode, or why there is none."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class PlanView:
    """What there is to decide upon."""

    name: str
    node: str
    gpus: tuple[GpuRow, ...]
    pods: tuple[PodRow, ...]
    reason: str

    @property
    def effect(self) -> tuple[tuple[GpuRow, ...], tuple[PodRow, ...]]:
        """What it does, for comparison."""
        return self.gpus, self.pods

    @property
    def reloads_driver(self) -> bool:
        """Whether the memory mode changes."""
        return any(row.before.partition("/")[2] != row.after.partition("/")[2] for row in self.gpus)


def view_of(plan: RepartitionPlan) -> PlanView:
    """The view of a plan that the operator has looked at."""
    after = {gpu.bdf: gpu.mode for gpu in plan.spec.to.gpus}
    places_before, places_after = _places(plan.status.before), _places(plan.status.after)
    names = [f"{pod.namespace}/{pod.name}" for pod in plan.status.affected_pods]
    return PlanView(
        name=plan.metadata.name,
        node=plan.spec.node,
        gpus=tuple(GpuRow(gpu.bdf, gpu.mode, after.get(gpu.bdf, "?")) for gpu in plan.spec.from_.gpus),
        pods=tuple(PodRow(name, places_before.get(name, "?"), places_after.get(name, "?")) for name in names),
        reason=plan.spec.reason or "",
    )


def _places(lines: list[str]) -> dict[str, str]:
    """The status has a line a pod, `namespace/name: place`."""
    return {pod: place for pod, _, place in (line.partition(": ") for line in lines)}


def show(view: PlanView, *, held: int = 0) -> None:
    """Print the view for people. `held`: partitions in use, where their pods are not known yet."""
    note(f"plan {view.name} of node {view.node}: {view.reason or 'no reason is given'}")
    gpus = Table("GPU", "BEFORE", "AFTER")
    for gpu in view.gpus:
        gpus.add_row(gpu.bdf, gpu.before, gpu.after)
    print_table(gpus)
    if view.reloads_driver:
        note("the memory mode changes: the driver of the whole node is reloaded, which takes minutes")
    if view.pods:
        pods = Table("POD", "BEFORE", "AFTER")
        for pod in view.pods:
            pods.add_row(pod.name, pod.before, pod.after)
        print_table(pods)
    elif held:
        note(f"{held} partitions of these GPUs are in use: their pods have to move first")
    else:
        note("no pod has to move")


def document(view: PlanView) -> dict[str, Any]:
    """The view as JSON has it."""
    return {
        "plan": view.name,
        "node": view.node,
        "reason": view.reason,
        "reloadsDriver": view.reloads_driver,
        "gpus": [{"bdf": gpu.bdf, "from": gpu.before, "to": gpu.after} for gpu in view.gpus],
        "pods": [{"name": pod.name, "before": pod.before, "after": pod.after} for pod in view.pods],
    }
