"""Sets of occupants without whom a demand fits a node: the fewest, of these the cheapest.

Occupants whose leaving has the same effect are alike, so of those only the cheapest are looked at: a node of sixty-four
claims of one kind is no harder than one of two. Of a gang all leave, those on other nodes too, or nobody.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice
from typing import Final

from controller.placement.decision import Placed
from controller.placement.demand import Demand
from controller.placement.occupant import Crew, Occupant, cost
from controller.placement.quota import within_promise
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Gpu, Node, Partition, Snapshot
from controller.placement.steps import Steps

#: Sets of one size that are put in order on one node.
MOST_SETS: Final = 4096


class VictimSets:
    """Sets of occupants that could leave one node, the fewest first; those who are `leaving` count as gone.

    `by_right`: they are made to leave, and it must be looked at whether the demand may have the place that comes free.
    """

    def __init__(
        self,
        scheduler: ModelScheduler,
        snapshot: Snapshot,
        demand: Demand,
        node: Node,
        leaving: Sequence[Occupant],
        may_go: Sequence[Crew],
        *,
        by_right: bool = True,
    ) -> None:
        self.demand = demand
        self.leaving = leaving
        self._scheduler = scheduler
        self._snapshot = snapshot
        self._node = node
        self._may_go = sorted(may_go, key=cost)
        self._right_matters = by_right
        self._trials = 0

    @cached_property
    def _part(self) -> Snapshot:
        return self._snapshot.only(sorted({self._node.name, *(each.node for each in chain(*self._may_go))}))

    @cached_property
    def _effects(self) -> dict[str, Hashable]:
        """Of those who hold something there that is known: the kubelet may not have told yet which device it gave.

        By the first one's key.
        """
        held = _held(self._part)
        return {
            crew[0].key: self._effect(crew, held) for crew in self._may_go if any(each.key in held for each in crew)
        }

    def fewest(self, trials: int, *, refused: bool) -> Steps[tuple[tuple[Occupant, ...] | None, int]]:
        """The cheapest set without which the demand fits, None when there is none; and how many sets were tried.

        `refused`: pods whose eviction was refused a moment ago may be in it, too. Pauses after each set.
        """
        self._trials = 0
        pool = [crew for crew in self._may_go if crew[0].key in self._effects and (refused or not _refused(crew))]
        most = sum(map(len, pool))
        if not self._fits(chain(*pool)):
            return None, self._trials
        for size in range(most + 1):
            yield
            sets = list(islice(self._sets(pool, size), MOST_SETS + 1))
            if len(sets) > MOST_SETS or self._trials + len(sets) > max(trials, 1):
                spared = yield from self._spared(pool)
                return tuple(spared), self._trials
            for victims in sorted(sets, key=cost):
                if self._fits(victims):
                    return victims, self._trials
                yield
        raise AssertionError(f"{self.demand.key} fits without all {most} and without no part of them")

    def enough(self, keys: Collection[str]) -> bool:
        """Whether all of these may be made to leave, and the demand then fits."""
        pool = [each for each in chain(*self._may_go) if each.key in keys]
        return len(pool) == len(keys) and self._fits(pool)

    def _spared(self, pool: Sequence[Crew]) -> Steps[list[Occupant]]:
        """All, but for those, the most important first, without whose leaving it fits, too: none is too many."""
        victims = list(pool)
        for crew in reversed(pool):
            rest = [other for other in victims if other is not crew]
            if self._fits(chain(*rest)):
                victims = rest
            yield
        return list(chain(*victims))

    def _fits(self, victims: Iterable[Occupant]) -> bool:
        self._trials += 1
        gone = tuple(victims)
        with self._part.without(each.key for each in (*self.leaving, *gone)):
            placed = self._scheduler.schedule(self._part, self.demand)
            return isinstance(placed, Placed) and self._by_right(placed, gone)

    def _by_right(self, placed: Placed, gone: Sequence[Occupant]) -> bool:
        """Whether all of them may be made to leave for this very place: a promise covers no larger one."""
        demand, policy = self.demand, placed.node.policy
        if not self._right_matters or all(each.priority < demand.priority for each in gone):
            return True
        if policy is None:
            return False
        asked = sum(partition.bytes for partition in placed.partitions)
        used = self._part.quota_used(policy.name, demand.namespace)
        return within_promise(policy.quota(demand.namespace), used, asked)

    def _sets(self, pool: Sequence[Crew], size: int) -> Iterator[tuple[Occupant, ...]]:
        """Sets of that size; of those whose leaving has the same effect only the cheapest."""
        classes: dict[Hashable, list[Crew]] = defaultdict(list)
        for crew in pool:
            classes[self._effects[crew[0].key]].append(crew)
        yield from _choices(list(classes.values()), size)

    def _effect(self, crew: Crew, held: Mapping[str, Sequence[tuple[Node, Gpu, Partition]]]) -> Hashable:
        """What their leaving does, in whatever order they stand; how many they are is a part of it."""
        effects = Counter(self._effect_of(each, held[each.key]) for each in crew if each.key in held)
        return len(crew), frozenset(effects.items())

    def _effect_of(self, occupant: Occupant, held: Sequence[tuple[Node, Gpu, Partition]]) -> Hashable:
        node, _, first = held[0]
        holder = self._part.holder(node, first)
        kinds = sorted(
            (
                gpu.product,
                str(gpu.mode),
                one.bytes,
                one.healthy,
                one.quarantined,
                one.resource,
                _kept(one),
                str(one.compute_units),
            )
            for _, gpu, one in held
        )
        # whose priority is lower need not be told apart: of those alike the lowest go first
        own = occupant.namespace == self.demand.namespace
        return node.name, tuple(kinds), holder.resources if holder is not None else None, own


def _refused(crew: Crew) -> bool:
    return any(each.refused for each in crew)


def _choices(classes: Sequence[Sequence[Crew]], size: int) -> Iterator[tuple[Occupant, ...]]:
    """So many occupants of all classes together, of each class the first crews, which are of one size."""
    if size == 0:
        yield ()
        return
    if not classes or sum(len(crew) for crews in classes for crew in crews) < size:
        return
    first, rest = classes[0], classes[1:]
    each = len(first[0])
    for count in range(min(len(first), size // each), -1, -1):
        for others in _choices(rest, size - count * each):
            yield (*chain(*first[:count]), *others)


def _held(part: Snapshot) -> dict[str, list[tuple[Node, Gpu, Partition]]]:
    found: dict[str, list[tuple[Node, Gpu, Partition]]] = defaultdict(list)
    for node, gpu, partition in part.partitions():
        holder = part.holder(node, partition)
        if holder is not None and holder.kind == "ours":
            found[holder.name].append((node, gpu, partition))
    return found


def _kept(partition: Partition) -> tuple[str, str, str, int]:
    kept = partition.reservation
    return (kept.owner, kept.template_hash, kept.claim, kept.priority) if kept is not None else ("", "", "", 0)
