"""RepartitionPlans: which are under way, which GPUs and places they have in hand, when a node changed last."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from api.v1beta1.repartition_plan import RepartitionPlan
from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.placement.snapshot import Reservation
from controller.repartition.phases import HARDWARE, TERMINAL, Phase
from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest
from controller.state.table import Table


def waits(phase: str, message: str) -> bool:
    """Whether a plan in that phase waits for a person, a window, a budget or its node's rest: binding goes on as usual.

    A plan that nobody has looked at yet says nothing, and most likely begins at once, so it counts as under way.
    """
    return phase == Phase.AWAITING_APPROVAL or (phase == Phase.PENDING and bool(message))


def reloads(plan: RepartitionPlan) -> bool:
    """Whether the plan changes the memory mode, which reloads the driver of the whole node."""
    before = {Mode.parse(gpu.mode).memory for gpu in plan.spec.from_.gpus}
    return before != {Mode.parse(gpu.mode).memory for gpu in plan.spec.to.gpus}


def changes_modes(plan: RepartitionPlan) -> bool:
    """Whether a mode changes at all; one that regains GPUs by moving pods may leave all modes as they are."""
    before = {gpu.bdf: gpu.mode for gpu in plan.spec.from_.gpus}
    return any(before.get(gpu.bdf) != gpu.mode for gpu in plan.spec.to.gpus)


@dataclass(frozen=True, slots=True)
class NodePlans:
    """What plans mean for one node.

    `gpus`: by address, the plan that has the GPU in hand; `node` the one that has all of them, None for none.
    `reserved`: places kept for pods that were moved. `last_change`: as `Plans.last_change`.
    """

    gpus: Mapping[str, str] = field(default_factory=dict)
    node: str | None = None
    reserved: Mapping[PartitionId, Reservation] = field(default_factory=dict)
    last_change: datetime | None = None


NO_PLANS: Final = NodePlans()


class Plans(Table[Manifest, RepartitionPlan]):
    """Plans by name, with those just created and not yet seen. `revision` counts their changes."""

    def __init__(self, translate: Callable[[Manifest], RepartitionPlan]) -> None:
        super().__init__(translate)
        self.revision = 0

    def take(self, event: StoreEvent[Manifest]) -> None:
        """Apply one informer event."""
        self.revision += 1
        super().take(event)

    def by_node(self) -> Mapping[str, NodePlans]:
        """What all plans together mean, for the nodes for which they mean something."""
        gpus, nodes, reserved = self.gpus_in_hand(), self.nodes_in_hand(), self.reservations()
        names = {plan.spec.node for plan in self.values()} | {node for node, _ in reserved}
        return {
            name: NodePlans(
                gpus={bdf: plan for (node, bdf), plan in gpus.items() if node == name},
                node=nodes.get(name),
                reserved={number: kept for (node, number), kept in reserved.items() if node == name},
                last_change=self.last_change(name),
            )
            for name in names
        }

    def assume(self, plan: RepartitionPlan) -> None:
        """Count a plan that is being created; the informer's event replaces it."""
        self.revision += 1
        self._rows.setdefault(plan.metadata.name, plan)

    def forget(self, name: str) -> None:
        """Drop an assumed plan that was not created after all; one that the informer has shown stays."""
        assumed = self._rows.get(name)
        if assumed is not None and not assumed.metadata.uid:
            self.revision += 1
            del self._rows[name]

    def _running(self) -> Iterator[RepartitionPlan]:
        for plan in self.values():
            over = Phase(plan.status.phase) in TERMINAL
            if not over and not waits(plan.status.phase, plan.status.message) and not plan.spec.dry_run:
                yield plan

    def active_nodes(self) -> tuple[str, ...]:
        """Nodes with a plan under way, sorted."""
        return tuple(sorted({plan.spec.node for plan in self._running()}))

    def running_on(self, node: str) -> tuple[str, ...]:
        """Names of the plans under way on a node, sorted."""
        return tuple(sorted(plan.metadata.name for plan in self._running() if plan.spec.node == node))

    def awaiting_on(self, node: str) -> str | None:
        """The plan of a node that waits for a person's approval, None when there is none."""
        for plan in self.values():
            if plan.spec.node == node and Phase(plan.status.phase) is Phase.AWAITING_APPROVAL:
                return plan.metadata.name
        return None

    def gpus_in_hand(self) -> dict[tuple[str, str], str]:
        """The plan of each (node, bdf) that one is changing."""
        return {(plan.spec.node, gpu.bdf): plan.metadata.name for plan in self._running() for gpu in plan.spec.to.gpus}

    def nodes_in_hand(self) -> dict[str, str]:
        """The plan of each node whose driver one reloads: it has every GPU there in hand, named or not."""
        return {plan.spec.node: plan.metadata.name for plan in self._running() if reloads(plan)}

    def reservations(self) -> dict[tuple[str, PartitionId], Reservation]:
        """The places, by node and partition, that plans keep for the successors of pods they moved.

        A plan that ended keeps those of evicted pods until their successors are bound, or for ten minutes: the
        reconciler takes them off its status then.
        """
        return {
            (kept.node, PartitionId(kept.bdf, kept.partition)): Reservation(kept.owner, kept.template_hash)
            for plan in self.values()
            for kept in plan.status.reservations
        }

    def for_claim(self, uid: str) -> RepartitionPlan | None:
        """The unfinished plan made for a claim, None when there is none."""
        for plan in self.values():
            wanted = plan.spec.claim_ref is not None and plan.spec.claim_ref.uid == uid
            if wanted and Phase(plan.status.phase) not in TERMINAL:
                return plan
        return None

    def ended_for_claim(self, uid: str) -> frozenset[str]:
        """The nodes of the plans that were made for a claim and have ended."""
        return frozenset(
            plan.spec.node
            for plan in self.values()
            if plan.spec.claim_ref is not None
            and plan.spec.claim_ref.uid == uid
            and Phase(plan.status.phase) in TERMINAL
        )

    def last_change(self, node: str) -> datetime | None:
        """When a plan on the node last ended after it had touched the hardware, None when none did."""
        ends = [
            step.end_time
            for plan in self.values()
            if plan.spec.node == node and Phase(plan.status.phase) in TERMINAL
            for step in plan.status.steps
            if step.end_time is not None and step.name in HARDWARE
        ]
        return max(ends, default=None)
