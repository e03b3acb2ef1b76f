"""The mode changes that the demands of a cycle ask for: what bears on them is read once for all, where it counts."""

from dataclasses import replace
from datetime import datetime
from functools import cached_property

from controller.placement.demand import Demand
from controller.placement.snapshot import Snapshot
from controller.reconcilers.repartition_plan.reservations import unavailable_pods
from controller.repartition.disruption_budget import Refused
from controller.repartition.planner import NOTHING_ELSE, Proposal, Standing, propose
from controller.state.attempts import attempts_for
from controller.state.cluster import Cluster
from controller.state.movable import MovablePods
from controller.state.occupancy import admin_held


class Surroundings:
    """The cluster around one snapshot, asked by the demands of one cycle.

    A snapshot gets fuller while a cycle goes on, never emptier, so a change that was refused stays refused for all
    that ask for the same.
    """

    def __init__(self, cluster: Cluster, snapshot: Snapshot) -> None:
        self._cluster = cluster
        self._snapshot = snapshot
        self._movable = MovablePods(cluster, snapshot)
        self._refused: dict[Demand, Refused] = {}

    def propose(self, demand: Demand, now: datetime) -> Proposal | Refused:
        """The change that would help a demand, or why there is none."""
        ended = self._cluster.plan_table.ended_for_claim(demand.uid) & self._changing
        if ended:
            return Refused("RepartitionRunning", f"the change of node {min(ended)} for this claim ends at this moment")
        standing = self._standing(demand.uid, now)
        if not standing.attempts.none:
            return propose(self._snapshot, demand, self._active(), standing)
        alike = replace(demand, key="", uid="", created_seconds=0.0, owner="", template_hash="")
        if alike in self._refused:
            return self._refused[alike]
        found = propose(self._snapshot, demand, self._active(), standing)
        if isinstance(found, Refused):
            self._refused[alike] = found
        return found

    def _standing(self, claim_uid: str, now: datetime) -> Standing:
        """What bears on a change for a claim. Nothing does where no policy lets the operator change modes."""
        if not self._changes:
            return NOTHING_ELSE
        return Standing(
            unavailable_pods=self._unavailable,
            admin_held=self._admin_held,
            attempts=attempts_for(self._cluster.plan_table, claim_uid, now),
            movable=self._movable,
        )

    @cached_property
    def _changing(self) -> frozenset[str]:
        """Nodes that have a GPU in hand. A plan's end and its agent's are seen by two watches, in either order."""
        return frozenset(node.name for node in self._snapshot.nodes if any(gpu.plan for gpu in node.gpus))

    def _active(self) -> tuple[str, ...]:
        """Nodes with a change under way. Not kept: a cycle makes plans."""
        return tuple(sorted(self._changing.union(self._cluster.plan_table.active_nodes())))

    @cached_property
    def _changes(self) -> bool:
        return any(node.policy is not None and node.policy.repartition for node in self._snapshot.nodes)

    @cached_property
    def _unavailable(self) -> int:
        return unavailable_pods(self._cluster, self._cluster.plan_table.values())

    @cached_property
    def _admin_held(self) -> frozenset[tuple[str, str]]:
        return admin_held(self._cluster)
