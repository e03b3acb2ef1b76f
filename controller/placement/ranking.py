"""What each node has for demands of one shape, kept from decision to decision.

Claims of one service ask alike, and between two decisions one node changes, or a few. So the best place of every node
is remembered with the facts it was found by, and only nodes whose facts are others now are looked at again: a decision
among ten thousand nodes costs what it costs among ten. What is answered is what looking at every node would answer.

A shape is a demand without its name: what concerns one claim alone (nodes left out, or closed to it by the pods there,
places kept for it, for its owner or its service) is looked at beside the ranking. Of the rest of the cluster a node's
answer depends on one thing, what the demand's namespace uses of a quota; the ranking follows that, too.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from heapq import heapify, heappop, heappush

from controller.placement.candidates import Choice, best_on, refusals_on
from controller.placement.decision import Refusal
from controller.placement.demand import Demand
from controller.placement.locality import Rank
from controller.placement.nodes import Nodes
from controller.placement.scores import Scorer
from controller.placement.snapshot import Snapshot
from controller.placement.steps import Steps

_SLACK = 64


def shape_of(demand: Demand) -> Demand:
    """The demand without what is one claim's alone, and without what no check or scorer reads."""
    return replace(
        demand,
        key="",
        uid="",
        created_seconds=0.0,
        excluded_nodes=frozenset(),
        owner="",
        template_hash="",
        gang="",
        gang_size=1,
        service="",
        family="",
        revision=0,
        newest=True,
        rules=None,
    )


def alike(demand: Demand) -> Demand:
    """What two demands have in common that the same nodes take, but for places that are kept for one of them.

    Anti-affinity of pods that are there is left out: it tells demands apart by all their labels.
    """
    rules = demand.rules if demand.rules is not None and demand.rules.limit else None
    return replace(shape_of(demand), excluded_nodes=demand.excluded_nodes, rules=rules)


class Ranking:
    """The nodes for one shape. Mutable, private to a scheduler; `follow` before anything is asked."""

    def __init__(self, shape: Demand, scorer: Scorer) -> None:
        self._shape = shape
        self._scorer = scorer
        self._base = Nodes()
        self._token: object = None
        self._mark = 0
        self._tried: set[str] = set()
        self._room: Mapping[str, int] = {}
        self._found: dict[str, tuple[int, Choice | None]] = {}
        self._heap: list[tuple[Rank, str, int]] = []
        self._looks = 0
        self._unweighed: set[str] = set()
        self._behind: set[str] = set()
        self._rows: dict[str, tuple[Refusal, ...]] = {}

    def __len__(self) -> int:
        return len(self._found)

    def follow(self, snapshot: Snapshot) -> None:
        """Look again at the nodes that are not as they were, and at those of which places are to be weighed anew."""
        for name in self._others(snapshot) | self._unweighed | self._behind:
            self._look(snapshot, name)
        self._unweighed.clear()
        self._behind.clear()
        self._tidy()

    def following(self, snapshot: Snapshot) -> Steps[None]:
        """The same with a pause after each node; with why each has no place, where none has. Others may ask meanwhile.

        They may ask about another snapshot: what differs there is looked at again afterwards.
        """
        while True:
            self._behind |= self._others(snapshot) | self._unweighed
            self._unweighed.clear()
            if not self._behind:
                break
            self._look(snapshot, self._behind.pop())
            yield
        self._tidy()
        if self.best() is None and not self._room:
            for name in [node.name for node in snapshot.nodes if node.name not in self._rows]:
                yield
                self.follow(snapshot)
                self.refusals(snapshot, name)

    def _tidy(self) -> None:
        if len(self._heap) > 2 * len(self._found) + _SLACK:
            current = ((name, look, choice) for name, (look, choice) in self._found.items())
            self._heap = [(choice.rank, name, look) for name, look, choice in current if choice is not None]
            heapify(self._heap)

    def weigh_anew(self) -> None:
        """The scorer's answers are others from now on. A node without a place has none whatever it answers."""
        self._unweighed.update(name for name, (_, choice) in self._found.items() if choice is not None)

    def _others(self, snapshot: Snapshot) -> set[str]:
        names: set[str] = set()
        if self._base is not snapshot.base:
            names.update(self._base.differing(snapshot.base))
            self._base = snapshot.base
        if self._token is snapshot.token:
            self._mark, tried = snapshot.tried_since(self._mark)
            self._tried |= tried
            names |= tried
        else:
            self._token = snapshot.token
            self._mark, _ = snapshot.tried_since(0)
            names |= self._tried | snapshot.trial_nodes
            self._tried = set(snapshot.trial_nodes)
        return names | self._limited(snapshot)

    def _limited(self, snapshot: Snapshot) -> set[str]:
        """The nodes of policies whose quota leaves the namespace room for other partitions than it did."""
        before, self._room = self._room, _room(snapshot, self._shape)
        changed = {
            policy for policy in before.keys() | self._room.keys() if before.get(policy) != self._room.get(policy)
        }
        if self._room:
            self._rows.clear()  # they tell how much is used
        if not changed:
            return set()
        return {node.name for node in snapshot.nodes if node.policy is not None and node.policy.name in changed}

    def _look(self, snapshot: Snapshot, name: str) -> None:
        self._rows.pop(name, None)
        node = snapshot.node(name)
        if node is None:
            self._found.pop(name, None)
            return
        self._looks += 1
        choice = best_on(snapshot, self._shape, node, self._scorer)
        self._found[name] = self._looks, choice
        if choice is not None:
            heappush(self._heap, (choice.rank, name, self._looks))

    def best(self, without: Collection[str] = ()) -> Choice | None:
        """The best place on any node but those; of equal ones the first by the node's name."""
        return next(iter(self.alike(without, 1)), None)

    def alike(self, without: Collection[str], most: int) -> list[Choice]:
        """The best place on any node but those, and of others as many that tie with it, the first by name."""
        passed: list[tuple[Rank, str, int]] = []
        found: list[Choice] = []
        while self._heap and len(found) < most:
            _, name, look = self._heap[0]
            known = self._found.get(name)
            if known is None or known[0] != look or known[1] is None:
                heappop(self._heap)
                continue
            if name not in without:
                if found and not known[1].ties(found[0]):
                    break
                found.append(known[1])
            passed.append(heappop(self._heap))
        for entry in passed:
            heappush(self._heap, entry)
        return found

    def refusals(self, snapshot: Snapshot, name: str) -> tuple[Refusal, ...]:
        """Why the node has no place; only for one that has none."""
        rows = self._rows.get(name)
        if rows is None:
            node = snapshot.node(name)
            rows = refusals_on(snapshot, self._shape, node) if node is not None else ()
            self._rows[name] = rows
        return rows


class Rankings:
    """Rankings by shape, those that were asked for last. Bounded in nodes that are remembered, not in shapes."""

    def __init__(self, scorer: Scorer, most_nodes: int) -> None:
        self._scorer = scorer
        self._most_nodes = most_nodes
        self._by_shape: dict[Demand, Ranking] = {}

    def of(self, snapshot: Snapshot, demand: Demand) -> Ranking:
        """The ranking for a demand, as the snapshot is now."""
        ranking = self.at(demand)
        ranking.follow(snapshot)
        for oldest in self._beyond():
            del self._by_shape[oldest]
        return ranking

    def at(self, demand: Demand) -> Ranking:
        """The ranking for a demand, as it was left."""
        shape = shape_of(demand)
        # `or` would make another one of one that knows no node yet
        ranking = self._by_shape.pop(shape, None)
        self._by_shape[shape] = ranking = Ranking(shape, self._scorer) if ranking is None else ranking
        return ranking

    def weigh_anew(self) -> None:
        """The scorer's answers are others from now on."""
        for ranking in self._by_shape.values():
            ranking.weigh_anew()

    def _beyond(self) -> Iterator[Demand]:
        remembered = sum(map(len, self._by_shape.values()))
        for shape, ranking in tuple(self._by_shape.items())[:-1]:
            if remembered <= self._most_nodes:
                return
            remembered -= len(ranking)
            yield shape


def _room(snapshot: Snapshot, shape: Demand) -> Mapping[str, int]:
    """By policy that limits the namespace, how many of the sizes of partitions are within what its quota leaves."""
    limits = {policy.name: policy.quota(shape.namespace).most for policy in snapshot.base.limiting(shape.namespace)}
    room = {}
    for policy, most in limits.items():
        left = (most or 0) - snapshot.quota_used(policy, shape.namespace)
        room[policy] = sum(size * shape.requirement.count <= left for size in snapshot.base.partition_sizes)
    return room
