"""Pods in the way of a change, and the order in which they move: who matters least goes first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.placement.demand import Demand, PodConstraints, Requirement, Shared
from controller.placement.filters import HOSTNAME_LABEL
from controller.placement.steps import Steps
from controller.sizing.precision import Precision


@dataclass(frozen=True, slots=True)
class Victim:
    """A pod that opted in and holds `partition` on a GPU that is to change, and with it `count` in all.

    `owner` is the uid of the controller that will make its successor, empty when nobody will; `template_hash` its
    revision. `requirement_bytes`, `modes` (empty: any), `precision` (None: any), `policy` and `constraints` are what
    the successor will ask for again, `resource` and `naming` those of a pod of the device plugin. `created_seconds`:
    since the epoch. With `shared` it stands for all members of a share group, and `owner` is the name of their claim.
    """

    namespace: str
    pod: str
    uid: str
    claim: str
    owner: str
    template_hash: str
    priority: int
    partition: PartitionId
    requirement_bytes: int
    constraints: PodConstraints
    ready: bool
    created_seconds: float = 0.0
    modes: frozenset[Mode] = frozenset()
    policy: str | None = None
    resource: str = ""
    naming: str = ""
    precision: Precision | None = None
    count: int = 1
    shared: Shared | None = None

    @property
    def name(self) -> str:
        """The pod as messages name it: `namespace/name`."""
        return f"{self.namespace}/{self.pod}"

    @property
    def demand(self) -> Demand:
        """What the successor will ask of placement, as nobody's successor: it has no reservation yet."""
        return Demand(
            key=f"{self.namespace}/{self.claim}",
            uid=self.uid,
            namespace=self.namespace,
            requirement=Requirement(self.requirement_bytes, self.count, self.modes, self.precision),
            pod=unpinned(self.constraints),
            priority=self.priority,
            created_seconds=self.created_seconds,
            policy=self.policy,
            resource=self.resource,
            naming=self.naming,
            shared=self.shared,
        )


def unpinned(asked: PodConstraints) -> PodConstraints:
    """Without the pin that binding set by the hostname's label: the template of a successor has none."""
    return replace(asked, node_selector=tuple(pair for pair in asked.node_selector if pair[0] != HOSTNAME_LABEL))


def in_order(victims: Iterable[Victim]) -> list[Victim]:
    """Lowest priority first; of one priority those that do not serve, then the youngest, then by name and uid."""
    return sorted(
        victims,
        key=lambda each: (each.priority, each.ready, -each.created_seconds, each.namespace, each.pod, each.uid),
    )


class Movable(Protocol):
    """Pods of ours that may be moved at all."""

    def reading(self) -> Steps[None]:
        """Have them at hand, a pause after each place; who asks without has them read at once."""

    @property
    def lowest_priority(self) -> int | None:
        """The lowest of their priorities; None when there are none."""

    def on(self, node: str) -> Mapping[PartitionId, Victim]:
        """Those on a node, by the partition each one holds."""


class Victims:
    """Movable pods by node, each under the partition it holds."""

    def __init__(self, by_node: Mapping[str, Mapping[PartitionId, Victim]]) -> None:
        self._by_node = by_node
        self._lowest = min((each.priority for there in by_node.values() for each in there.values()), default=None)

    def reading(self) -> Steps[None]:
        """They are at hand."""
        yield from ()

    @property
    def lowest_priority(self) -> int | None:
        """The lowest of their priorities; None when there are none."""
        return self._lowest

    def on(self, node: str) -> Mapping[PartitionId, Victim]:
        """Those on a node."""
        return self._by_node.get(node, {})


NOBODY: Final = Victims({})
