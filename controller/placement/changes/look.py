"""What a search for changes looks at: one node that refuses one demand, and what else is known of the cluster."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from controller.gpu.mode import Mode
from controller.placement.changes.change import Change
from controller.placement.changes.smaller import Smaller
from controller.placement.demand import Demand
from controller.placement.filters import only_reported
from controller.placement.snapshot import Node

ModeAfter: TypeAlias = Mapping[str, Mode]
"""The mode that each GPU of a node, by bdf, will have."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why no mode change may run on a node now. `passing`: time alone takes it away, a policy need not change."""

    message: str
    passing: bool = False


def nobody(_claim: str) -> int | None:
    """Nobody may be evicted."""
    return None


def nothing_smaller(_demand: Demand) -> Sequence[Smaller]:
    """The model cannot be asked for with less."""
    return ()


def no_plan(_node: str) -> ModeAfter:
    """No plan says what becomes of the node."""
    return {}


def by_the_policy(node: Node) -> Obstacle | None:
    """What the node's policy alone says of a change of its modes."""
    policy = node.policy
    if policy is None or not policy.repartition:
        remedy = f"set spec.repartition.enabled of policy {policy.name}" if policy else "make a policy that does"
        return Obstacle(f"no policy lets the modes of node {node.name} change; {remedy}")
    if node.reads_only:
        return Obstacle(only_reported(node))
    if policy.cooldown_left > 0:
        return Obstacle(f"node {node.name} rests; next change {policy.rest}", passing=True)
    if not policy.in_window:
        return Obstacle(policy.window_opens or "outside the windows of its policy", passing=True)
    return None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What bears on changes beside the snapshot, each asked only where it matters.

    `evictable` gives the priority of a claim's pod (`namespace/name`), None for one that must not be evicted; `smaller`
    the ways to ask for less; `after_plan` the modes of a node once the plan on it is done; `obstacle` why no mode of a
    node may change now; `admin_held` are devices, as (pool, device), whose GPUs keep their mode.
    """

    evictable: Callable[[str], int | None] = nobody
    smaller: Callable[[Demand], Sequence[Smaller]] = nothing_smaller
    after_plan: Callable[[str], ModeAfter] = no_plan
    obstacle: Callable[[Node], Obstacle | None] = by_the_policy
    admin_held: frozenset[tuple[str, str]] = frozenset()


NOTHING_KNOWN: Final = Circumstances()


@dataclass(frozen=True, slots=True)
class Look:
    """A node as tried, the demand that it refuses, whether a changed node would take it, and what else is known.

    `quota_used`: bytes of the partitions that the demand's namespace has on all nodes of the node's policy.
    """

    node: Node
    demand: Demand
    fits: Callable[[Node], bool]
    around: Circumstances
    quota_used: int = 0


Generator: TypeAlias = Callable[[Look], Iterator[Change]]
"""Gives the changes of one kind that could help; whether one does is tried by who asks."""
