"""What was decided and is not yet seen: it counts as taken until the informers show it, or the write failed."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from api.v1beta1 import GPUPartitionClaim
from controller.gpu.identity import PartitionId
from controller.placement.demand import Resources

Changed: TypeAlias = Callable[[str, Iterable[PartitionId]], None]
"""Told the node and the partitions of an assumption."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """One claim on partitions of one node. `resources` are the pod's, counted on the node.

    With `resource`, an extended one of the device plugin, the partitions only stand for those that the kubelet will
    choose: the claim is on as many of that name.
    """

    claim: str
    claim_uid: str
    node: str
    partitions: tuple[PartitionId, ...]
    resources: Resources
    resource: str = ""

    def shown_by(self, claim: GPUPartitionClaim) -> bool:
        """Whether the claim's stored allocation names these very partitions, or the resource on that node."""
        allocation = claim.status.allocation
        if allocation is None or allocation.node != self.node:
            return False
        if self.resource:
            return allocation.resource is not None and allocation.resource.name == self.resource
        return {PartitionId(device.bdf, device.partition) for device in allocation.devices} == set(self.partitions)


class Assumptions:
    """Assumptions by claim. Mutable, private to the operator's one loop."""

    def __init__(self) -> None:
        self._by_claim: dict[str, Assumption] = {}
        self._by_node: dict[str, dict[str, Assumption]] = {}
        self._listeners: list[Changed] = []

    def __len__(self) -> int:
        return len(self._by_claim)

    def __iter__(self) -> Iterator[Assumption]:
        return iter(tuple(self._by_claim.values()))

    def get(self, claim: str) -> Assumption | None:
        """The assumption for a claim, None when there is none."""
        return self._by_claim.get(claim)

    def on_change(self, call: Changed) -> None:
        """Call `call` with the node and the partitions of each assumption that comes or goes."""
        self._listeners.append(call)

    def _changed(self, assumption: Assumption) -> None:
        for call in self._listeners:
            call(assumption.node, assumption.partitions)

    def on(self, node: str) -> tuple[Assumption, ...]:
        """Those on one node."""
        return tuple(self._by_node.get(node, {}).values())

    def add(self, assumption: Assumption) -> None:
        """Remember a decision. Raises RuntimeError when one of the partitions is assumed for another claim."""
        for other in self.on(assumption.node):
            if other.claim == assumption.claim or assumption.resource:
                continue
            twice = set(other.partitions) & set(assumption.partitions)
            if twice:
                raise RuntimeError(
                    f"partition {min(twice)} of node {assumption.node} is assumed for {other.claim}; "
                    f"cannot assume it for {assumption.claim}"
                )
        self.forget(assumption.claim)
        self._by_claim[assumption.claim] = assumption
        self._by_node.setdefault(assumption.node, {})[assumption.claim] = assumption
        self._changed(assumption)

    def forget(self, claim: str) -> None:
        """Drop the assumption for a claim, if there is one."""
        known = self._by_claim.pop(claim, None)
        if known is None:
            return
        there = self._by_node[known.node]
        del there[claim]
        if not there:
            del self._by_node[known.node]
        self._changed(known)
