"""Who has to leave so that a claim that fits nowhere gets its place: the fewest, then those who matter least.

Two rights move pods. A claim may take the place of pods of lower priority. And a namespace that is promised GPU memory
(a quota's min) and uses less takes it back from those who borrow it, of whatever priority. What a namespace is promised
is taken by nobody who is promised nothing. Nobody leaves unless the claim then really fits, by the same scheduler that
will place it. Of a gang all leave, or nobody: each is of no use without the others.

Each question can be asked in steps, too: on a large cluster a search takes tenths of a second.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from typing import Final

from controller.placement.decision import Placed
from controller.placement.demand import Demand
from controller.placement.filters import pause, refuse_node
from controller.placement.gangs import GangKey, gang_of
from controller.placement.occupant import Cost, Crew, Occupant, cost
from controller.placement.precision_support import obstacle_on
from controller.placement.quota import Account, guaranteed, within_promise
from controller.placement.reservation import Awaiting
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Node, Partition, Snapshot
from controller.placement.steps import Steps, finished
from controller.placement.victim_sets import VictimSets

#: Sets of victims that are tried for one demand: beyond that the victims found may be more than the fewest.
MOST_TRIALS: Final = 2000


@dataclass(frozen=True, slots=True)
class Preemption:
    """`victims` are to leave, those who matter least first, and then the demand is `placed`.

    No victims: those who hold the place leave it already. `reclaims`: somebody has to give back what he borrowed.
    """

    placed: Placed
    victims: tuple[Occupant, ...]
    reclaims: bool


@dataclass(frozen=True, slots=True)
class NoVictims:
    """Why nobody is to leave for a demand: a CamelCase reason and a sentence."""

    reason: str
    message: str


class Occupied:
    """All claims that have a place, by node and by account, the cheapest first."""

    def __init__(self) -> None:
        self.by_node: dict[str, list[Occupant]] = defaultdict(list)
        self.by_account: dict[Account, list[Occupant]] = defaultdict(list)
        self._by_gang: dict[GangKey, list[Occupant]] = defaultdict(list)
        self.least_of: dict[Account, Cost] = {}
        self.lowest: int | None = None

    @classmethod
    def of(cls, occupants: Iterable[Occupant]) -> Steps["Occupied"]:
        """Those claims; a pause after each."""
        made = cls()
        for each in occupants:
            made._add(each)
            yield
        for there in made.by_node.values():
            there.sort(key=_alone)
            yield
        return made

    def _add(self, each: Occupant) -> None:
        account = each.policy, each.namespace
        if each.gang and not each.leaving:
            self._by_gang[each.namespace, each.gang].append(each)
        self.by_node[each.node].append(each)
        self.by_account[account].append(each)
        self.least_of[account] = min(self.least_of.get(account, _alone(each)), _alone(each))
        if each.movable and not each.leaving:
            self.lowest = each.priority if self.lowest is None else min(self.lowest, each.priority)

    def all(self) -> Iterator[Occupant]:
        """Every one of them."""
        return chain.from_iterable(self.by_node.values())

    def on(self, node: str) -> Sequence[Occupant]:
        """Those on one node."""
        return self.by_node.get(node, ())

    def crew(self, occupant: Occupant) -> Crew:
        """Those who leave if this one does, itself included."""
        return tuple(self._by_gang[occupant.namespace, occupant.gang]) if occupant.gang else (occupant,)


class Preemptor:
    """Finds victims on one snapshot. `occupants` are all claims that have a place there."""

    def __init__(self, scheduler: ModelScheduler, snapshot: Snapshot, occupants: Iterable[Occupant] | Occupied) -> None:
        self._scheduler = scheduler
        self._snapshot = snapshot
        self._occupied = occupants if isinstance(occupants, Occupied) else finished(Occupied.of(occupants))
        self._covered: dict[Account, frozenset[str]] = {}

    def anew(self, snapshot: Snapshot) -> "Preemptor":
        """The same on a later snapshot, on which the same claims have places."""
        return Preemptor(self._scheduler, snapshot, self._occupied)

    def find(self, demand: Demand) -> Preemption | NoVictims:
        """Who has to leave for a demand that fits nowhere now, or why nobody is to."""
        return finished(self.finding(demand))

    def finding(self, demand: Demand) -> Steps[Preemption | NoVictims]:
        """The same in steps."""
        if not demand.preempts:
            return NoVictims(
                "PreemptionNever", "its pod's preemptionPolicy is Never, so that nobody has to leave for it"
            )
        if not self._has_rights(demand):
            return self._nobody(demand)
        found = yield from self._best(demand, self._search, refused=False)
        if found is not None:
            return found
        refused = yield from self._best(demand, self._search, refused=True)
        if refused is not None:
            return NoVictims("EvictionRefused", "a disruption budget refused the eviction of who would have to leave")
        return NoVictims("PreemptionFutile", "it would fit nowhere even if all pods left that may be made to")

    def awaited(self, demand: Demand, only: str | None = None) -> Awaiting | None:
        """The place that the demand would get soonest if pods left by themselves; of node `only`, or of any."""
        return finished(self.awaiting(demand, only))

    def awaiting(self, demand: Demand, only: str | None = None) -> Steps[Awaiting | None]:
        """The same in steps."""
        found = yield from self._best(demand, self._all_leave, refused=True, only=only)
        return None if found is None else Awaiting(found.placed, found.victims)

    def together(self, demands: Sequence[Demand], *, by_right: bool) -> list[tuple[Demand, Preemption]] | NoVictims:
        """The same for all members of a gang: everybody gets a place, or nobody has to leave. Changes nothing.

        Without `by_right`: the places that they would get soonest if pods left by themselves.
        """
        return finished(self.finding_together(demands, by_right=by_right))

    def finding_together(
        self, demands: Sequence[Demand], *, by_right: bool
    ) -> Steps[list[tuple[Demand, Preemption]] | NoVictims]:
        """The same in steps. The snapshot is to be asked by nobody else until it has ended: trials are held on it."""
        found: list[tuple[Demand, Preemption]] = []
        with ExitStack() as trials:
            trials.enter_context(self._snapshot.without(()))  # with this ends whatever is held below
            for demand in demands:
                one = yield from self._one_of(demand, by_right=by_right)
                if isinstance(one, NoVictims):
                    return one
                trials.enter_context(self._snapshot.without(each.key for each in (*self._gone(one), *one.victims)))
                node, parts = one.placed.node, one.placed.partitions
                self._snapshot.hold(node, parts, demand.key, demand.pod.resources, demand.peer)
                found.append((demand, one))
        return found

    def _one_of(self, demand: Demand, *, by_right: bool) -> Steps[Preemption | NoVictims]:
        placed = self._scheduler.schedule(self._snapshot, demand)
        if isinstance(placed, Placed):
            return Preemption(placed, (), reclaims=False)
        if by_right:
            return (yield from self.finding(demand))
        found = yield from self._best(demand, self._all_leave, refused=True)
        return found or NoVictims("NothingGetsFree", "nothing gets free")

    def _gone(self, found: Preemption) -> Iterator[Occupant]:
        """Those who leave the node anyway, which was counted on."""
        return (each for each in self._occupied.on(found.placed.node.name) if each.leaving)

    def _all_leave(self, demand: Demand, node: Node) -> VictimSets | None:
        """What the node would be without anybody; None where something else keeps the demand from it."""
        if not self._could_run_on(demand, node):
            return None
        there = self._occupied.on(node.name)
        leaving = tuple(each for each in there if each.leaving)
        staying = tuple((each,) for each in there if not each.leaving)
        return VictimSets(self._scheduler, self._snapshot, demand, node, leaving, staying, by_right=False)

    def _could_run_on(self, demand: Demand, node: Node) -> bool:
        """Whether nothing but what is taken there keeps the demand from the node."""
        unfit = refuse_node(self._snapshot, demand, node)
        return (unfit is None or unfit[0] == "NodeResourcesShort") and not any(gpu.plan for gpu in node.gpus)

    def still_right(self, demand: Demand, node: str, uids: Collection[str]) -> bool:
        """Whether the pods of those `uids` that are there yet may be made to leave, and the demand then fits."""
        host = self._snapshot.node(node)
        search = self._search(demand, host) if host is not None and demand.preempts else None
        staying = [each.key for each in self._occupied.all() if each.uid in uids and not each.leaving]
        return search is not None and search.enough(staying)

    def _has_rights(self, demand: Demand) -> bool:
        """Whether anybody anywhere may have to leave for it: most demands have none, and are told so at once."""
        if self._occupied.lowest is None:
            return False
        policies = {node.policy.name: node for node in self._snapshot.nodes if node.policy is not None}
        return self._occupied.lowest < demand.priority or any(
            self._promised(demand, node, 1) for node in policies.values()
        )

    @staticmethod
    def _nobody(demand: Demand) -> NoVictims:
        return NoVictims("NobodyToPreempt", f"no pod of a priority below {demand.priority} could leave for it")

    def _best(
        self,
        demand: Demand,
        search_on: Callable[[Demand, Node], VictimSets | None],
        *,
        refused: bool,
        only: str | None = None,
    ) -> Steps[Preemption | None]:
        """The cheapest set of all nodes, as far as trials reach: no further than a node could have a cheaper one."""
        best: tuple[Cost, VictimSets, tuple[Occupant, ...]] | None = None
        left = MOST_TRIALS
        nodes = yield from self._by_bound(demand, only)
        for bound, node in nodes:
            if left <= 0 or (best is not None and best[0] < bound):
                break
            yield
            search = search_on(demand, node)
            if search is None:
                continue
            victims, trials = yield from search.fewest(left, refused=refused)
            left -= trials
            if victims is not None and (best is None or cost(victims) < best[0]):
                best = cost(victims), search, victims
        return None if best is None else self._confirmed(best[1], best[2])

    def _by_bound(self, demand: Demand, only: str | None) -> Steps[list[tuple[Cost, Node]]]:
        """Nodes on which somebody's leaving may help, each with what that costs at least; the cheapest first."""
        found = []
        for node in self._snapshot.nodes:
            own = self._least_of_own(demand, node)
            costs = [each for each in (self._least_on(demand, node), own) if each is not None]
            if costs and only in (None, node.name):
                found.append((min(costs), node))
            yield
        return sorted(found, key=lambda pair: (pair[0], pair[1].name))

    def _least_of_own(self, demand: Demand, node: Node) -> Cost | None:
        """What it costs at least that the namespace, where it has a max, gives up something elsewhere."""
        policy = node.policy
        if policy is None or policy.quota(demand.namespace).most is None:
            return None
        return self._occupied.least_of.get((policy.name, demand.namespace))

    def _least_on(self, demand: Demand, node: Node) -> Cost | None:
        """No set of the node's occupants that would do costs less; None without any."""
        there = self._occupied.on(node.name)
        if not there:
            return None
        leaving = sum(each.leaving for each in there)
        if demand.requirement.count == 1:
            return _alone(there[0])
        smallest = min(partition.bytes for gpu in node.gpus for partition in gpu.partitions) or 1
        pieces = [each.bytes // smallest for each in there]  # no fewer than each one has
        free = sum(self._snapshot.free(node, gpu) for gpu in node.gpus)
        missing = demand.requirement.count - free - sum(pieces[:leaving])
        if missing <= 0:
            return _alone(there[0])
        return cost(there[leaving : leaving - (-missing // max(1, *pieces))])

    def _confirmed(self, search: VictimSets, victims: tuple[Occupant, ...]) -> Preemption | None:
        """The same on the whole snapshot: what is decided there is what will be decided once they have left."""
        demand = search.demand
        with self._snapshot.without(each.key for each in (*search.leaving, *victims)):
            placed = self._scheduler.schedule(self._snapshot, demand)
        if not isinstance(placed, Placed):
            return None
        needed = {self._holder_of(placed, partition) for partition in placed.partitions}
        # of a gang those whose place it gets go last: once it fits, nobody else is asked, and the others would stay
        ordered = tuple(sorted(victims, key=lambda each: (bool(each.gang) and each.key in needed, cost([each]))))
        reclaims = any(self._reclaimed(demand, each) for each in victims)
        return Preemption(placed, ordered, reclaims)

    def _holder_of(self, placed: Placed, partition: Partition) -> str:
        holder = self._snapshot.holder(placed.node, partition)
        return holder.name if holder is not None else ""

    def _search(self, demand: Demand, node: Node) -> VictimSets | None:
        """What could leave on a node; None where nothing of it would help, or nobody may be made to leave now."""
        size = _smallest(demand, node) if self._could_run_on(demand, node) else None
        if size is None:
            return None
        there = self._occupied.on(node.name)
        leaving = tuple(each for each in there if each.leaving)
        promised = self._promised(demand, node, size)
        may_go = [each for each in there if self._may_go(demand, each, promised=promised)] if _may_evict(node) else []
        crews = self._crews(demand, node, (*may_go, *self._own_elsewhere(demand, node, size)), promised=promised)
        if not leaving and not crews:
            return None
        return VictimSets(self._scheduler, self._snapshot, demand, node, leaving, crews)

    def _crews(self, demand: Demand, node: Node, chosen: Iterable[Occupant], *, promised: bool) -> tuple[Crew, ...]:
        """Those of the chosen who may leave with all who leave with them, each crew once."""
        ruled = node.policy.name if node.policy is not None else ""

        def leaves(other: Occupant) -> bool:
            right = self._may_go(demand, other, promised=promised and other.policy == ruled)
            return right and (other.node == node.name or self._settled(other.node))

        crews = {crew[0].key: crew for crew in map(self._occupied.crew, chosen)}
        return tuple(crew for crew in crews.values() if len(crew) == 1 or all(map(leaves, crew)))

    def _may_go(self, demand: Demand, occupant: Occupant, *, promised: bool) -> bool:
        if occupant.leaving or not occupant.movable or occupant.key == demand.key:
            return False
        if occupant.gang and (occupant.namespace, occupant.gang) == gang_of(demand):
            return False
        lower = occupant.priority < demand.priority
        if occupant.namespace == demand.namespace:
            return lower
        if occupant.key in self._guaranteed(occupant.policy, occupant.namespace):
            return lower and promised
        return lower or promised

    def _reclaimed(self, demand: Demand, victim: Occupant) -> bool:
        return victim.namespace != demand.namespace and victim.priority >= demand.priority

    def _own_elsewhere(self, demand: Demand, node: Node, size: int) -> tuple[Occupant, ...]:
        """Where the namespace has reached its max: its less important pods under that policy, wherever they are."""
        policy = node.policy
        most = policy.quota(demand.namespace).most if policy is not None else None
        if policy is None or most is None or self._used(demand, node) + size <= most:
            return ()
        mine = self._occupied.by_account.get((policy.name, demand.namespace), ())
        return tuple(
            each
            for each in mine
            if each.node != node.name and self._may_go(demand, each, promised=False) and self._settled(each.node)
        )

    def _settled(self, name: str) -> bool:
        """Whether pods may be evicted on that node now."""
        node = self._snapshot.node(name)
        if node is None or pause(node) is not None or any(gpu.plan for gpu in node.gpus):
            return False
        return node.fresh and _may_evict(node)

    def _promised(self, demand: Demand, node: Node, size: int) -> bool:
        """Whether the place would be within what the demand's namespace can always have on the policy's nodes."""
        policy = node.policy
        if policy is None:
            return False
        return within_promise(policy.quota(demand.namespace), self._used(demand, node), size)

    def _used(self, demand: Demand, node: Node) -> int:
        return self._snapshot.quota_used(node.policy.name if node.policy is not None else "", demand.namespace)

    def _guaranteed(self, policy: str, namespace: str) -> frozenset[str]:
        account = policy, namespace
        if account not in self._covered:
            claims = self._occupied.by_account.get(account, ())
            view = next((self._snapshot.node(each.node) for each in claims), None)
            least = view.policy.quota(namespace).least if view is not None and view.policy is not None else 0
            self._covered[account] = guaranteed(least, claims)
        return self._covered[account]


def _alone(occupant: Occupant) -> Cost:
    """What one costs; those who leave anyway are free, and come first."""
    return cost(()) if occupant.leaving else cost([occupant])


def _smallest(demand: Demand, node: Node) -> int | None:
    """Bytes of the smallest place that the node could have for the demand in its modes; None when it has none."""
    wanted = demand.requirement
    sizes = [
        partition.bytes
        for gpu in node.gpus
        if (not wanted.modes or gpu.mode in wanted.modes) and not obstacle_on(gpu.product, wanted.precision)
        for partition in gpu.partitions
        if partition.bytes >= wanted.bytes
    ]
    return min(sizes) * wanted.count if sizes else None


def _may_evict(node: Node) -> bool:
    """Whether the policy's budget lets any pod be down."""
    return node.policy is None or node.policy.max_unavailable_pods > 0
