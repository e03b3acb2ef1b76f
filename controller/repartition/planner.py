"""Which mode change would give a claim its place, at the least cost.

A compute-mode change touches one GPU and needs that GPU idle. A memory-mode change reloads the driver, touches every
GPU of the node and needs all of them idle. Where no idle GPU helps, pods may be in the way that can go elsewhere: a
change that moves them is proposed for a person to approve, or for a claim of higher priority than all of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from controller.gpu.mode import Mode
from controller.placement.demand import Demand
from controller.placement.filters import refuse_node
from controller.placement.snapshot import Node, PolicyView, Snapshot
from controller.placement.steps import Steps, finished
from controller.repartition.attempts import NONE_TRIED, TRIES_AN_HOUR, Attempts, Change
from controller.repartition.candidates import Candidate, candidates
from controller.repartition.disruption_budget import Refused, Usage, refuse_change
from controller.repartition.drain import decide_drain
from controller.repartition.places import FreePlaces
from controller.repartition.policy_bounds import ruled_out
from controller.repartition.victims import NOBODY, Movable, Victim, in_order

#: Told only where no node may be changed at all: they say that nothing is wanted of the node.
_NOTHING_WANTED: Final = frozenset({"RepartitionDisabled", "Paused"})
#: Changes that move pods are looked into no further than this, the least disturbing first: each costs a search.
MOST_DRAINS = 64
#: Nodes that may not be changed now are asked no further than this whether a change would have helped there.
MOST_CLOSED: Final = 64


@dataclass(frozen=True, slots=True)
class Standing:
    """What else bears on a change now.

    `unavailable_pods`: as in Usage. `admin_held`: devices, as (pool, device), held with adminAccess: their GPUs cannot
    be changed. `attempts`: those of the claim. `movable` is asked only where no idle GPU helps.
    """

    unavailable_pods: int = 0
    admin_held: frozenset[tuple[str, str]] = frozenset()
    attempts: Attempts = NONE_TRIED
    movable: Movable = NOBODY


NOTHING_ELSE: Final = Standing()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A node's change: `before` and `after` name every GPU that the change touches, as (bdf, mode) by bdf.

    `victims` have to move first, in this order. `attempt` counts how often the same was tried for the claim before,
    `more` the other claims that wait and get a place by the same change.
    """

    node: str
    policy: str
    automatic: bool
    before: tuple[tuple[str, Mode], ...]
    after: tuple[tuple[str, Mode], ...]
    target: str
    mode: Mode
    victims: tuple[Victim, ...] = ()
    attempt: int = 0
    more: int = 0

    @property
    def reloads_driver(self) -> bool:
        """Whether the memory mode changes, which reloads the driver of the whole node."""
        return self.before[0][1].memory != self.after[0][1].memory


def propose(
    snapshot: Snapshot, demand: Demand, active_nodes: Sequence[str], standing: Standing = NOTHING_ELSE
) -> Proposal | Refused:
    """The cheapest change that gives `demand` a partition, or why none may run.

    Cheapest: nobody has to move, then the fewest pods, then no driver reload, then the fewest GPUs touched, then the
    smallest partition that fits, then names. `active_nodes` have a change under way.
    """
    return finished(proposing(snapshot, demand, active_nodes, standing))


def proposing(
    snapshot: Snapshot, demand: Demand, active_nodes: Sequence[str], standing: Standing = NOTHING_ELSE
) -> Steps[Proposal | Refused]:
    """The same with a pause after each node, and after each try to find places for those who would have to move."""
    if demand.requirement.count != 1:
        # Changes of idle GPUs for several partitions are chosen jointly; moving pods for them is not looked into.
        return Refused(
            "CountUnsupported", "no change of idle GPUs gives several partitions, and nobody is moved for them"
        )
    return (yield from _Search(snapshot, demand, Usage(active_nodes, standing.unavailable_pods), standing).run())


class _Search:
    def __init__(self, snapshot: Snapshot, demand: Demand, usage: Usage, standing: Standing) -> None:
        self._snapshot = snapshot
        self._demand = demand
        self._usage = usage
        self._standing = standing
        self._refused: Refused | None = None
        self._closed: list[tuple[Node, Refused]] = []
        self._nodes: tuple[Node, ...] = ()
        self._free: FreePlaces | None = None

    def run(self) -> Steps[Proposal | Refused]:
        self._nodes = yield from self._changeable()
        best = yield from self._idle()
        if best is None:
            best = yield from self._evicting()
        if best is None:
            return (yield from self._nearest())
        again = self._standing.attempts.too_many()
        if again is not None:
            sentence = f"{TRIES_AN_HOUR} changes were made for this claim within an hour and did not help"
            return Refused("RepartitionTried", f"{sentence}; the next one may come at {again:%Y-%m-%d %H:%M} UTC")
        return best

    def _refuse(self, refused: Refused) -> None:
        self._refused = self._refused or refused

    def _nearest(self) -> Steps[Refused]:
        """What is nearest to a change: of nodes that it would have helped on, and of nothing that stands elsewhere."""
        later = [pair for pair in self._closed if pair[1].reason not in _NOTHING_WANTED]
        unwanted = [] if self._nodes else [pair for pair in self._closed if pair not in later]
        found = yield from self._in_the_way(later, evicting=False)
        found = found or self._refused
        for closed, evicting in ((later, True), (unwanted, False), (unwanted, True)):
            found = found or (yield from self._in_the_way(closed, evicting=evicting))
        found = found or self._ruled_out(self._nodes)
        if found is None and not (self._nodes or self._closed):
            return Refused("NoNode", "no node takes the pod, whatever the modes of its GPUs")
        return found or Refused("NoIdleGPU", "no idle GPU could be changed to a mode whose partitions fit")

    def _in_the_way(self, closed: Sequence[tuple[Node, Refused]], *, evicting: bool) -> Steps[Refused | None]:
        """Why the cheapest of the changes that would help on these nodes may not be made now; None without any."""
        best: tuple[Candidate, Refused] | None = None
        for node, refused in closed[:MOST_CLOSED]:
            yield
            held = self._standing.admin_held
            for each in candidates(self._snapshot, self._demand, _opened(node), held, evicting=evicting):
                if best is None or each.cost() < best[0].cost():
                    # to wait for what is refused for now would be in vain where the policy rules the modes out for good
                    best = each, self._ruled_out((node,)) or refused
        return best[1] if best is not None else None

    def _ruled_out(self, nodes: Sequence[Node]) -> Refused | None:
        return ruled_out(self._snapshot, self._demand, nodes, self._standing.admin_held)

    def _changeable(self) -> Steps[tuple[Node, ...]]:
        """Nodes that the pod could run on and that may be changed now."""
        found = []
        for node in self._snapshot.nodes:
            yield
            unfit = refuse_node(self._snapshot, self._demand, node)
            if unfit is not None:
                if unfit[0] in _NOTHING_WANTED:
                    self._closed.append((node, Refused(*unfit)))
                continue
            refused = refuse_change(node, self._demand.namespace, self._usage)
            if refused is None:
                found.append(node)
            else:
                self._closed.append((node, refused))
        return tuple(found)

    def _candidates(self, node: Node, *, evicting: bool) -> Iterator[Candidate]:
        held = self._standing.admin_held
        for candidate in candidates(self._snapshot, self._demand, node, held, evicting=evicting):
            if self._standing.attempts.rests(_change(candidate)):
                sentence = f"a change of node {node.name} was made for this claim and did not help"
                self._refuse(Refused("RepartitionTried", f"{sentence}; it is not repeated at once"))
            else:
                yield candidate

    def _idle(self) -> Steps[Proposal | None]:
        best: Candidate | None = None
        for node in self._nodes:
            for each in self._candidates(node, evicting=False):
                best = each if best is None or each.cost() < best.cost() else best
            yield
        return None if best is None else self._proposal(best, ())

    def _evicting(self) -> Steps[Proposal | None]:
        found: list[Candidate] = []
        if self._nodes:
            yield from self._standing.movable.reading()
        for node in self._nodes:
            if self._may_evict(node):
                found += self._candidates(node, evicting=True)
            yield
        drains = 0
        for candidate in sorted(found, key=Candidate.cost):
            victims = self._victims(candidate)
            if not victims:
                continue
            if self._free is None:
                self._free = yield from FreePlaces.collecting(self._snapshot)
            refused = self._refuse_drain(candidate, victims, self._free)
            yield
            if refused is None:
                return self._proposal(candidate, victims)
            self._refuse(refused)
            drains += 1
            if drains == MOST_DRAINS:
                break
        return None

    def _may_evict(self, node: Node) -> bool:
        lowest = self._standing.movable.lowest_priority
        if lowest is None or (_automatic(node) and self._demand.priority <= lowest):
            return False
        refused = refuse_change(node, self._demand.namespace, self._usage, evicts=1)
        if refused is not None:
            self._refuse(refused)
        return refused is None

    def _victims(self, candidate: Candidate) -> tuple[Victim, ...]:
        """The pods that hold the candidate's GPUs, in the order they would move; empty when one of them may not."""
        there = self._standing.movable.on(candidate.node.name)
        if any(partition not in there for partition in candidate.held):
            return ()
        victims = list({there[partition].uid: there[partition] for partition in candidate.held}.values())
        if not all(victim.owner for victim in victims):
            return ()
        if _automatic(candidate.node) and any(victim.priority >= self._demand.priority for victim in victims):
            return ()
        return tuple(in_order(victims))

    def _refuse_drain(self, candidate: Candidate, victims: Sequence[Victim], free: FreePlaces) -> Refused | None:
        drain = decide_drain(
            self._snapshot,
            candidate.node.name,
            frozenset(gpu.bdf for gpu, _ in candidate.touched),
            victims,
            budget_left=len(victims),
            allowed=lambda _: True,
            free=free,
        )
        return drain if isinstance(drain, Refused) else None

    def _proposal(self, candidate: Candidate, victims: tuple[Victim, ...]) -> Proposal:
        node, change = candidate.node, _change(candidate)
        return Proposal(
            node=node.name,
            policy=node.policy.name if node.policy is not None else "",
            automatic=_automatic(node),
            before=tuple((gpu.bdf, gpu.mode) for gpu, _ in candidate.touched),
            after=change.after,
            target=candidate.target.bdf,
            mode=candidate.mode,
            victims=victims,
            attempt=self._standing.attempts.of(change),
        )


def _opened(node: Node) -> Node:
    """The node with a policy that bounds no modes: what would help there if its policy were another."""
    policy = node.policy or PolicyView("")
    return replace(node, policy=replace(policy, modes=frozenset(), validated_only=False))


def _automatic(node: Node) -> bool:
    return node.policy is not None and node.policy.approval == "Auto"


def _change(candidate: Candidate) -> Change:
    return Change(candidate.node.name, tuple((gpu.bdf, after) for gpu, after in candidate.touched))
