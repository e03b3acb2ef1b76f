"""A place for each pod that has to move: partitions as they are, that nobody holds and nobody is promised.

Places are given out one after the other, each pod taking the tightest. Where that leaves a pod without one, those
before it are moved to their other places, as far as that helps (augmenting paths of a bipartite matching).
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace

from controller.placement.demand import Demand, Resources
from controller.placement.filters import refuse_node, refuse_partition
from controller.placement.scores import Score, best_fit
from controller.placement.snapshot import Gpu, Node, Partition, Snapshot
from controller.repartition.victims import Victim


@dataclass(frozen=True, slots=True)
class Place:
    """A partition with its GPU and node."""

    node: Node
    gpu: Gpu
    partition: Partition


@dataclass(frozen=True, slots=True)
class _Alike:
    """Free partitions of one GPU that differ in their number only: what takes one takes any."""

    node: Node
    gpu: Gpu
    partitions: tuple[Partition, ...]


class FreePlaces:
    """The free and sound partitions of a snapshot, collected once for any number of questions."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.groups = tuple(_groups(snapshot))
        self.largest = max((group.partitions[0].bytes for group in self.groups), default=0)


def _groups(snapshot: Snapshot) -> Iterator[_Alike]:
    for node in snapshot.nodes:
        for gpu in node.gpus:
            if gpu.plan is not None:
                continue
            free: dict[tuple[int, str], list[Partition]] = {}
            for partition in gpu.partitions:
                if _usable(partition) and snapshot.holder(node, partition) is None:
                    free.setdefault((partition.bytes, partition.resource), []).append(partition)
            yield from (_Alike(node, gpu, tuple(found)) for found in free.values())


def _usable(partition: Partition) -> bool:
    return partition.healthy and not partition.quarantined and partition.reservation is None


class Places:
    """Free places outside the GPUs `touched` of `node`, for pods that leave that node's touched GPUs."""

    def __init__(self, free: FreePlaces, node: str, touched: frozenset[str]) -> None:
        self._free = free
        self._snapshot = free.snapshot
        self._home = node
        self._touched = touched
        self._found: dict[Hashable, list[Place]] = {}

    def give(self, victims: Sequence[Victim]) -> list[Place] | Victim:
        """A place for each, in the order of `victims`; or the first one for which there is none."""
        given = _Given(self._snapshot, self._home, victims, [self._fitting(victim) for victim in victims])
        for index, victim in enumerate(victims):
            if not (given.direct(index) or given.rearranged(index)):
                return victim
        return given.overcommitting() or given.places()

    def _fitting(self, victim: Victim) -> list[Place]:
        """The victim's possible places, the best first; pods of one template share the answer."""
        if victim.requirement_bytes > self._free.largest:
            return []
        demand = victim.demand
        alike = demand.namespace, demand.requirement, demand.policy, demand.pod, demand.resource
        if alike not in self._found:
            self._found[alike] = self._search(demand)
        return self._found[alike]

    def _search(self, demand: Demand) -> list[Place]:
        nodes: dict[str, Demand | None] = {}
        found: list[tuple[Score, _Alike]] = []
        for group in self._free.groups:
            node, gpu, first = group.node, group.gpu, group.partitions[0]
            if first.bytes < demand.requirement.bytes or (node.name == self._home and gpu.bdf in self._touched):
                continue
            if node.name not in nodes:
                nodes[node.name] = self._demand_on(demand, node)
            asked = nodes[node.name]
            if asked is not None and refuse_partition(self._snapshot, asked, node, gpu, first) is None:
                found.append((best_fit(self._snapshot, asked, node, gpu, first), group))
        ordered = [
            Place(group.node, group.gpu, partition)
            for _, group in sorted(found, key=lambda entry: entry[0])
            for partition in group.partitions
        ]
        return self._countable(ordered, demand.resource) if demand.resource else ordered

    def _demand_on(self, demand: Demand, node: Node) -> Demand | None:
        """The demand as that node must meet it, None when it cannot. At home the pod frees what it asks for.

        A device of the device plugin is the kubelet's choice, so no place at home is sure to be on another GPU.
        """
        if node.name == self._home:
            if demand.resource:
                return None
            demand = replace(demand, pod=replace(demand.pod, resources=Resources()))
        return None if refuse_node(self._snapshot, demand, node) else demand

    def _countable(self, ordered: list[Place], resource: str) -> list[Place]:
        """Of each node as many places as its device plugin has devices for: those held unseen are any of them."""
        left: dict[str, int] = {}
        kept = []
        for place in ordered:
            node = place.node
            if node.name not in left:
                fitting = sum(other.node.name == node.name for other in ordered)
                free = min(fitting, node.devices.get(resource, 0) - self._held(node, resource))
                left[node.name] = free - node.unlocated.get(resource, 0)
            left[node.name] -= 1
            if left[node.name] >= 0:
                kept.append(place)
        return kept

    def _held(self, node: Node, resource: str) -> int:
        return sum(
            partition.resource == resource and self._snapshot.holder(node, partition) is not None
            for gpu in node.gpus
            for partition in gpu.partitions
        )


class _Given:
    """Which victim has which place so far."""

    def __init__(
        self, snapshot: Snapshot, home: str, victims: Sequence[Victim], fitting: Sequence[Sequence[Place]]
    ) -> None:
        self._snapshot = snapshot
        self._home = home
        self._victims = victims
        self._fitting = fitting
        self._place: dict[int, Place] = {}
        self._taken: dict[Hashable, int] = {}

    def direct(self, index: int) -> bool:
        """Give the victim the best place that nobody was given, on a node with room for the pod."""
        for place in self._fitting[index]:
            if _key(place) not in self._taken and self._room(place.node, self._victims[index]):
                self._put(index, place)
                return True
        return False

    def rearranged(self, index: int) -> bool:
        """Give the victim a place by moving others to their other places."""
        return self._augment(index, set())

    def _augment(self, index: int, visited: set[Hashable]) -> bool:
        for place in self._fitting[index]:
            key = _key(place)
            if key in visited:
                continue
            visited.add(key)
            if key not in self._taken or self._augment(self._taken[key], visited):
                self._put(index, place)
                return True
        return False

    def _put(self, index: int, place: Place) -> None:
        self._place[index] = place
        self._taken[_key(place)] = index

    def overcommitting(self) -> Victim | None:
        """A victim whose node has not enough CPU, memory or pod slots for all that come there."""
        return next(
            (self._victims[i] for i, place in sorted(self._place.items()) if not self._room(place.node, None)), None
        )

    def places(self) -> list[Place]:
        """The places in the order of the victims."""
        return [self._place[index] for index in range(len(self._victims))]

    def _room(self, node: Node, more: Victim | None) -> bool:
        """Whether the node has room for those who were given a place there, and for one more."""
        if node.name == self._home:
            return True
        asked = more.constraints.resources if more is not None else Resources()
        for index, place in self._place.items():
            if place.node.name == node.name:
                asked = asked.plus(self._victims[index].constraints.resources)
        left = node.allocatable.minus(self._snapshot.used(node))
        return all(
            wanted == 0 or wanted <= there
            for wanted, there in (
                (asked.pods, left.pods),
                (asked.cpu_milli, left.cpu_milli),
                (asked.memory_bytes, left.memory_bytes),
            )
        )


def _key(place: Place) -> Hashable:
    return place.node.name, place.partition.id
