"""Defects put into the scheduler on purpose: a search that does not find them would find nothing."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest

from controller.placement import filters
from controller.placement.snapshot import Snapshot
from controller.reconcilers.gpu_partition_claim.gangs import Gangs
from controller.reconcilers.gpu_partition_claim.preempting import Preempting
from controller.reconcilers.gpu_partition_claim.releasing import Releasing
from controller.reconcilers.repartition_plan import drain, quiesce
from controller.runtime.reconcile import Result
from controller.state.assumptions import Assumptions
from controller.state.cluster import Cluster
from controller.state.heartbeats import Heartbeats
from controller.state.pinned_devices import PinnedDevices

Patch = pytest.MonkeyPatch


@dataclass(frozen=True, slots=True)
class Mutant:
    """A defect: what it is in words, how it is put in, and the violations or errors, one of which is to show it."""

    name: str
    put: Callable[[Patch], None]
    shown_by: str

    def shows(self, error: BaseException) -> bool:
        """Whether an error of the search tells of this defect."""
        found = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
        return any(re.search(self.shown_by, str(each)) for each in found)


def _without(table: str, reason: str) -> Callable[[Patch], None]:
    """A check is left out."""

    def put(patch: Patch) -> None:
        kept = tuple(row for row in getattr(filters, table) if row[0] != reason)
        patch.setattr(filters, table, kept)

    return put


def _always(owner: Any, name: str, answer: Any) -> Callable[[Patch], None]:
    """A question always has the same answer."""
    return lambda patch: patch.setattr(owner, name, lambda *_, **__: answer)


def _always_awaited(owner: Any, name: str, answer: Any) -> Callable[[Patch], None]:
    async def found(*_: object, **__: object) -> Any:
        return answer

    return lambda patch: patch.setattr(owner, name, found)


def _assumes_nothing(patch: Patch) -> None:
    real = Assumptions.add

    def add(self: Assumptions, assumption: Any) -> None:
        real(self, assumption)
        self.forget(assumption.claim)

    patch.setattr(Assumptions, "add", add)


def _tries_without_undo(patch: Patch) -> None:
    """What a question took off a snapshot stays off."""

    @contextmanager
    def without(self: Snapshot, claims: Any) -> Iterator[None]:
        wanted = frozenset(claims)
        for (name, holder), partitions in self._held_by(wanted).items():
            self._try(name, self._trial(name).without(holder, partitions))
        yield

    patch.setattr(Snapshot, "without", without)


def _hears_of_first_sight(patch: Patch) -> None:
    """A Lease that is there counts as renewed."""
    real = Heartbeats.take

    def take(self: Heartbeats, event: Any) -> None:
        real(self, event)
        if event.new is not None:
            self._seen(event.key.rpartition("/")[2])

    patch.setattr(Heartbeats, "take", take)


def _sees_no_holders(patch: Patch) -> None:
    """A plan takes its GPUs for idle."""
    for step in (drain, quiesce):
        patch.setattr(step, "holders_of", lambda *_: [])


MUTANTS: Final = (
    Mutant("assumptions are not kept", _assumes_nothing, r"1: "),
    Mutant("a trial is not undone", _tries_without_undo, r"1: |6: |cannot (hold|assume)|PartitionId"),
    Mutant("holders are ignored", _without("PARTITION_FILTERS", "PartitionHeld"), r"cannot (hold|assume)|1: "),
    Mutant("what a pod is about to get is free", _always(PinnedDevices, "on", {}), r"1: .* bound to"),
    Mutant("an assumption never ends", _always(Cluster, "_confirm_assumption", None), r"6: |1: |cannot (hold|assume)"),
    Mutant("a silent agent is believed", _without("NODE_FILTERS", "StaleInventory"), r"2: .* silent"),
    Mutant("a Lease that is only there is believed", _hears_of_first_sight, r"2: .* silent"),
    Mutant("the mode asked for is ignored", _without("PARTITION_FILTERS", "ModeMismatch"), r"2: .* asks for"),
    Mutant("GPUs in hand are given away", _without("PARTITION_FILTERS", "Repartitioning"), r"4: |2: "),
    Mutant("holders do not stop a change", _sees_no_holders, r"4: |2: "),
    Mutant("quotas are ignored", _without("PARTITION_FILTERS", "QuotaExceeded"), r"quota: "),
    Mutant("a gang's gates open one by one", _always_awaited(Gangs, "hold", None), r"gang: "),
    Mutant("any number of pods may be down", _always(Preempting, "_may_leave", True), r"5: .* pods are down"),
    Mutant("claims of pods that are gone stay", _always_awaited(Releasing, "pod_gone", Result()), r"6: .* left behind"),
)
