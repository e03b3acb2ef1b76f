"""A RepartitionPlan as a person reads it before a decision: GPUs before and after, pods that have to move."""

from dataclasses import dataclass
from typing import Any

from api.v1beta1 import RepartitionPlan
from controller.cli.output import Output, note, print_rows


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
    """What there is to decide upon. `gain` and `cost` are in words, empty where nobody worked them out."""

    name: str
    node: str
    gpus: tuple[GpuRow, ...]
    pods: tuple[PodRow, ...]
    reason: str
    gain: str = ""
    cost: str = ""

    @property
    def effect(self) -> tuple[tuple[GpuRow, ...], tuple[PodRow, ...]]:
        """What it does, for comparison."""
        return self.gpus, self.pods

    @property
    def reloads_driver(self) -> bool:
        """Whether the memory mode changes."""
        return any(row.before.partition("/")[2] != row.after.partition("/")[2] for row in self.gpus)

    @property
    def reloaded(self) -> tuple[str, ...]:
        """The GPUs that nobody can use while the driver is reloaded: a plan that may run names all of its node then."""
        return tuple(row.bdf for row in self.gpus) if self.reloads_driver else ()


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
        gain=plan.spec.gain.summary if plan.spec.gain is not None else "",
        cost=plan.status.cost.summary if plan.status.cost is not None else "",
    )


def _places(lines: list[str]) -> dict[str, str]:
    """The status has a line a pod, `namespace/name: place`."""
    return {pod: place for pod, _, place in (line.partition(": ") for line in lines)}


def show(view: PlanView, output: Output = Output.TABLE, *, held: int = 0) -> None:
    """Print the view for people. `held`: partitions in use, where their pods are not known yet."""
    note(f"plan {view.name} of node {view.node}: {view.reason or 'no reason is given'}")
    print_rows(("GPU", "BEFORE", "AFTER"), [(gpu.bdf, gpu.before, gpu.after) for gpu in view.gpus], output)
    if view.reloads_driver:
        stops = f"which takes minutes, and nobody can use {', '.join(view.reloaded)} meanwhile"
        note(f"the memory mode changes: the driver of the whole node is reloaded, {stops}")
    if view.pods:
        print_rows(("POD", "BEFORE", "AFTER"), [(pod.name, pod.before, pod.after) for pod in view.pods], output)
    elif held:
        many = "1 partition of these GPUs is" if held == 1 else f"{held} partitions of these GPUs are"
        note(f"{many} in use: the pods there have to move first")
    else:
        note("no pod has to move")
    told = [f"{what}: {text}" for what, text in (("gain", view.gain), ("cost", view.cost)) if text]
    if told:
        note("; ".join(told))


def document(view: PlanView) -> dict[str, Any]:
    """The view as JSON has it."""
    return {
        "plan": view.name,
        "node": view.node,
        "reason": view.reason,
        "gain": view.gain or None,
        "cost": view.cost or None,
        "reloadsDriver": view.reloads_driver,
        "reloadedGpus": list(view.reloaded),
        "gpus": [{"bdf": gpu.bdf, "from": gpu.before, "to": gpu.after} for gpu in view.gpus],
        "pods": [{"name": pod.name, "before": pod.before, "after": pod.after} for pod in view.pods],
    }
