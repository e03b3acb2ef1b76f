"""Priorities of pods that are in files alone: the API server writes a class's to the pods that are made. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from controller.cli.documents import BadInput, Document
from controller.cli.workload import Workload

Json = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PriorityClass:
    """What a PriorityClass says of its pods. `everybodys`: also of those that name none (globalDefault)."""

    value: int
    preempts: bool = True
    everybodys: bool = False


def class_of(obj: Json) -> PriorityClass:
    """A PriorityClass as the API server has it."""
    return PriorityClass(obj["value"], obj.get("preemptionPolicy") != "Never", bool(obj.get("globalDefault")))


def class_in(document: Document) -> PriorityClass:
    """The same of a file. Raises BadInput for one without a value."""
    value = document.obj.get("value")
    if not isinstance(value, int):
        raise BadInput(document.file, f"PriorityClass {document.name}: value", value, "is no number", "write e.g. 1000")
    return class_of(document.obj)


def with_priorities(workloads: Iterable[Workload], classes: Mapping[str, PriorityClass]) -> tuple[Workload, ...]:
    """The workloads with their classes' priorities; one that names a class which is not there stays as it is."""
    default = next((each for _, each in sorted(classes.items()) if each.everybodys), None)
    return tuple(
        _with(each, classes.get(each.priority_class) if each.priority_class else default) for each in workloads
    )


def _with(workload: Workload, found: PriorityClass | None) -> Workload:
    if found is None or workload.pod.priority:
        return workload
    return replace(workload, pod=replace(workload.pod, priority=found.value, preempts=found.preempts))


def unknown(workloads: Iterable[Workload], classes: Mapping[str, PriorityClass]) -> list[str]:
    """A note for each workload whose class is not there."""
    return [
        f"{each.key} names PriorityClass {each.priority_class}, whose value is not known here: counted with priority 0"
        for each in workloads
        if each.priority_class and each.priority_class not in classes and not each.pod.priority
    ]
