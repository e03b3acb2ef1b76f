"""A place for each pod that has to move: partitions as they are, that nobody holds and nobody is promised.

Places are given out one after the other, each pod taking the tightest. Where that leaves a pod without one, those
before it are moved to their other places, as far as that helps (augmenting paths of a bipartite matching).

The tightest, whatever scorer the policy names: a matching needs an order of places that giving one out does not change,
and a scorer weighs what is left of a GPU after each.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from controller.placement.demand import Demand, Requirement, Resources
from controller.placement.filters import refuse_node, refuse_partition
from controller.placement.scores import Score, best_fit
from controller.placement.snapshot import Gpu, Node, Partition, Snapshot
from controller.placement.steps import Steps, finished
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

    @property
    def size(self) -> int:
        """Bytes of each."""
        return self.partitions[0].bytes


#: Whose preferences are everybody's.
_ANYBODY: Final = Demand(key="", uid="", namespace="", requirement=Requirement(0))


class FreePlaces:
    """The free and sound partitions of a snapshot, collected once for any number of questions.

    They stand in the order in which every demand prefers them: what one needs shifts the scores of all alike.
    """

    def __init__(self, snapshot: Snapshot, groups: Sequence[_Alike] | None = None) -> None:
        """`groups`: what `collecting` found, in order."""
        self.snapshot = snapshot
        self._groups = groups if groups is not None else finished(_in_order(snapshot))
        self._sound: dict[Hashable, tuple[_Alike, ...]] = {}
        self._held: dict[tuple[str, str], int] = {}
        self.largest = max((group.size for group in self._groups), default=0)

    @classmethod
    def collecting(cls, snapshot: Snapshot) -> Steps["FreePlaces"]:
        """The same, collected with a pause after each node."""
        groups = yield from _in_order(snapshot)
        return cls(snapshot, groups)

    def sound(self, demand: Demand) -> tuple[_Alike, ...]:
        """Those that suit the demand but for its size and its node."""
        asked = demand.requirement.modes, demand.requirement.precision, demand.resource
        if asked not in self._sound:
            self._sound[asked] = tuple(self._suiting(_of_no_size(demand)))
        return self._sound[asked]

    def held(self, node: Node, resource: str) -> int:
        """How many partitions of the node that bear the resource somebody holds."""
        asked = node.name, resource
        if asked not in self._held:
            self._held[asked] = sum(
                partition.resource == resource and self.snapshot.holder(node, partition) is not None
                for gpu in node.gpus
                for partition in gpu.partitions
            )
        return self._held[asked]

    def _suiting(self, demand: Demand) -> Iterator[_Alike]:
        for group in self._groups:
            if refuse_partition(self.snapshot, demand, group.node, group.gpu, group.partitions[0]) is None:
                yield group


def _in_order(snapshot: Snapshot) -> Steps[list[_Alike]]:
    found = []
    for node in snapshot.nodes:
        found += [(_score(snapshot, group), group) for group in _groups(snapshot, node)]
        yield
    return [group for _, group in sorted(found, key=lambda scored: scored[0])]


def _groups(snapshot: Snapshot, node: Node) -> Iterator[_Alike]:
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


def _score(snapshot: Snapshot, group: _Alike) -> Score:
    return best_fit(snapshot, _ANYBODY, group.node, group.gpu, group.partitions[0])


def _of_no_size(demand: Demand) -> Demand:
    return replace(demand, requirement=replace(demand.requirement, bytes=0))


class _Fitting:
    """A victim's possible places, the best first: looked for no further than somebody asks."""

    def __init__(self, places: Iterator[Place]) -> None:
        self._known: list[Place] = []
        self._rest = places

    def __iter__(self) -> Iterator[Place]:
        index = 0
        while index < len(self._known) or self._another():
            yield self._known[index]
            index += 1

    def _another(self) -> bool:
        place = next(self._rest, None)
        if place is not None:
            self._known.append(place)
        return place is not None


class Places:
    """Free places outside the GPUs `touched` of `node`, for pods that leave that node's touched GPUs."""

    def __init__(self, free: FreePlaces, node: str, touched: frozenset[str]) -> None:
        self._free = free
        self._snapshot = free.snapshot
        self._home = node
        self._touched = touched
        self._found: dict[Hashable, _Fitting] = {}

    def give(self, victims: Sequence[Victim]) -> list[Place] | Victim:
        """A place for each, in the order of `victims`; or the first one for which there is none."""
        given = _Given(self._snapshot, self._home, victims, [self._fitting(victim) for victim in victims])
        for index, victim in enumerate(victims):
            if not (given.direct(index) or given.rearranged(index)):
                return victim
        return given.overcommitting() or given.places()

    def _fitting(self, victim: Victim) -> _Fitting:
        """The victim's possible places, the best first; pods of one template share the answer."""
        if victim.requirement_bytes > self._free.largest:
            return _Fitting(iter(()))
        demand = victim.demand
        alike = demand.namespace, demand.requirement, demand.policy, demand.pod, demand.resource
        if alike not in self._found:
            self._found[alike] = _Fitting(self._search(demand))
        return self._found[alike]

    def _search(self, demand: Demand) -> Iterator[Place]:
        takes: dict[str, bool] = {}
        countable = self._countable(demand) if demand.resource else None
        for group in self._large_enough(demand):
            node = group.node
            if node.name not in takes:
                takes[node.name] = self._takes(demand, node)
            for partition in group.partitions if takes[node.name] else ():
                if countable is not None:
                    countable[node.name] -= 1
                    if countable[node.name] < 0:
                        break
                yield Place(node, group.gpu, partition)

    def _large_enough(self, demand: Demand) -> Iterator[_Alike]:
        for group in self._free.sound(demand):
            at_home = group.node.name == self._home and group.gpu.bdf in self._touched
            if group.size >= demand.requirement.bytes and not at_home:
                yield group

    def _takes(self, demand: Demand, node: Node) -> bool:
        """Whether the node takes the pod. At home the pod frees what it asks for.

        A device of the device plugin is the kubelet's choice, so no place at home is sure to be on another GPU.
        """
        if node.name == self._home:
            if demand.resource:
                return False
            demand = replace(demand, pod=replace(demand.pod, resources=Resources()))
        return refuse_node(self._snapshot, demand, node) is None

    def _countable(self, demand: Demand) -> dict[str, int]:
        """By node, as many places as its device plugin has devices for: those held unseen are any of them."""
        fitting: Counter[str] = Counter()
        nodes: dict[str, Node] = {}
        for group in self._large_enough(demand):
            fitting[group.node.name] += len(group.partitions)
            nodes[group.node.name] = group.node
        return {
            name: min(
                count, nodes[name].devices.get(demand.resource, 0) - self._free.held(nodes[name], demand.resource)
            )
            - nodes[name].unlocated.get(demand.resource, 0)
            for name, count in fitting.items()
        }


class _Given:
    """Which victim has which place so far."""

    def __init__(
        self, snapshot: Snapshot, home: str, victims: Sequence[Victim], fitting: Sequence[Iterable[Place]]
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
