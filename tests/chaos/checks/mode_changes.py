"""Invariant 4: modes change under nobody, and only while a plan's status says so; plans go by their table of phases."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from controller.repartition.phases import TRANSITIONS
from tests.chaos.checks.violation import Violation
from tests.chaos.facts import HARDWARE, GpuNode, Kind, Plan, ResourceClaim
from tests.chaos.history import HardwareChange, History

RELOAD = "ReloadDriver"
_ALLOWED = frozenset((str(before), str(after)) for (before, _), after in TRANSITIONS.items())


@dataclass(frozen=True, slots=True)
class _Holding:
    """Somebody surely has the GPU from `since` until `until`."""

    claim: str
    since: float
    until: float


def check(history: History) -> Iterator[Violation]:
    """What the hardware did beside who held it then, and the plans."""
    holdings = _holdings(history)
    for change in history.hardware:
        for bdf in sorted(change.gpus):
            for one in holdings.get((change.node, bdf), ()):
                if one.since < change.ended and change.begun < one.until:
                    text = f"{change.node}: {change.what} of {bdf} while {one.claim} holds it"
                    yield Violation(4, change.begun, (change.node, one.claim), text)
        if not _on_record(history, change):
            text = f"{change.node}: {change.what}, and no plan's status says so"
            yield Violation(4, change.begun, (change.node,), text)
    yield from _phases(history)


def _holdings(history: History) -> Mapping[tuple[str, str], list[_Holding]]:
    """By node and GPU: whoever was given a device of it, administrators who only look included."""
    gpu_of: dict[tuple[str, str], str] = {}
    current: dict[tuple[str, str, str], float] = {}
    found: dict[tuple[str, str], list[_Holding]] = {}

    def until(key: tuple[str, str, str], end: float) -> None:
        node, bdf, claim = key
        found.setdefault((node, bdf), []).append(_Holding(claim, current.pop(key), end))

    for change in history.changes:
        if isinstance(change.after, GpuNode):
            for bdf, gpu in change.after.gpus:
                gpu_of |= {(change.key, device): bdf for _, device in gpu.partitions}
        if change.kind is not Kind.RESOURCE_CLAIM:
            continue
        keys = {
            (pool, gpu_of[pool, device], change.key)
            for fact in (change.after,)
            if isinstance(fact, ResourceClaim)
            for pool, device in (*fact.devices, *fact.watched)
            if (pool, device) in gpu_of
        }
        for key in [each for each in current if each[2] == change.key and each not in keys]:
            until(key, change.begun)
        for key in keys - current.keys():
            current[key] = change.done
    for key in list(current):
        until(key, history.ended)
    return found


def _on_record(history: History, change: HardwareChange) -> bool:
    """Whether a plan of the node and of these GPUs said, when the change began, that it may: the last that was written of
    it by then. A reload is of all GPUs of a node, whatever changes."""
    said: dict[str, bool] = {}
    for one in history.changes:
        if one.kind is not Kind.PLAN or one.begun > change.begun:
            continue
        said[one.key] = isinstance(one.after, Plan) and _covers(one.after, change)
    return any(said.values())


def _covers(plan: Plan, change: HardwareChange) -> bool:
    named = change.what == RELOAD or change.gpus <= plan.gpus
    return named and plan.node == change.node and plan.phase in HARDWARE


def _phases(history: History) -> Iterator[Violation]:
    for one in history.changes:
        if not isinstance(one.before, Plan) or not isinstance(one.after, Plan) or one.before.uid != one.after.uid:
            continue
        step = one.before.phase, one.after.phase
        if step[0] != step[1] and step not in _ALLOWED:
            yield Violation(4, one.done, (one.key,), f"plan {one.key} goes from {step[0]} to {step[1]}")
