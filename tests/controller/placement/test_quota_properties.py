"""Namespaces that ask for memory in turns, with preemption carried out at once: what is promised can be had, what is
promised is not taken, no max is exceeded, and it comes to rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.placement import preemption
from controller.placement.decision import Placed
from controller.placement.demand import Demand
from controller.placement.occupant import Occupant
from controller.placement.preemption import Preemption, Preemptor
from controller.placement.quota import Quota, guaranteed
from controller.placement.scheduler import ModelScheduler, order
from controller.placement.snapshot import Holder, Node, Snapshot
from tests.builders.demand import demand
from tests.builders.gpu import gpu
from tests.builders.node import node
from tests.builders.occupied import ONE_POD, claimed, taken
from tests.builders.policy import policy_view

TEAMS = ("team-a", "team-b", "team-c")
SIZE = gpu(0, "QPX/NPS1").partitions[0].bytes
NODES = ("worker-0", "worker-1")
PLACES = 4 * len(NODES)


@dataclass
class World:
    """Claims that have a place, by (node, partition), and those that wait; time goes by a second a claim."""

    quotas: Mapping[str, Quota]
    held: dict[tuple[str, int], Occupant] = field(default_factory=dict)
    waiting: list[Demand] = field(default_factory=list)
    evictions: int = 0
    made: int = 0

    def ask(self, team: str, priority: int) -> None:
        """A claim of one partition comes."""
        self.made += 1
        key = f"{team}/aim-{self.made}"
        self.waiting.append(demand(key, 40, priority=priority, created_seconds=float(self.made)))

    def snapshot(self) -> Snapshot:
        view = policy_view(quotas=self.quotas)
        return Snapshot(replace(self._node(name), policy=view) for name in NODES)

    def _node(self, name: str) -> Node:
        whole = gpu(0, "QPX/NPS1")
        there = {index: each for (host, index), each in self.held.items() if host == name}
        partitions = tuple(
            replace(one, holder=Holder("ours", there[one.id.index].key, ONE_POD) if one.id.index in there else None)
            for one in whole.partitions
        )
        mine = list(there.values())
        return node(name, replace(whole, partitions=partitions), claimed=claimed(mine), used=taken(mine))

    def settle(self) -> None:
        """Decide until nothing changes any more; raises when that takes longer than it can."""
        for _ in range(4 * PLACES + 4 * self.made):
            if not self._turn():
                return
        raise AssertionError(f"it does not come to rest: {self.evictions} evictions for {self.made} claims")

    def _turn(self) -> bool:
        for wanted in order(self.waiting):
            decision = ModelScheduler().schedule(self.snapshot(), wanted)
            if not isinstance(decision, Placed):
                found = Preemptor(ModelScheduler(), self.snapshot(), self.held.values()).find(wanted)
                if not isinstance(found, Preemption):
                    continue
                self._evict(wanted, found)
                decision = found.placed
            self._place(wanted, decision)
            return True
        return False

    def _evict(self, wanted: Demand, found: Preemption) -> None:
        """They leave, and their successors wait: they are as important, and younger."""
        for victim in found.victims:
            self._check(wanted, victim)
            self.evictions += 1
            self.held = {place: each for place, each in self.held.items() if each is not victim}
            self.ask(victim.namespace, victim.priority)

    def _check(self, wanted: Demand, victim: Occupant) -> None:
        account = self.of(victim.namespace)
        if victim.key in guaranteed(self.quota(victim.namespace).least, account):
            assert victim.priority < wanted.priority, f"{victim.key} is promised its memory and not less important"
            within = self.used(wanted.namespace) + SIZE <= self.quota(wanted.namespace).least
            assert within or victim.namespace == wanted.namespace, f"{wanted.key} takes what others are promised"

    def _place(self, wanted: Demand, decision: Placed) -> None:
        number = decision.partition.id.index
        name = wanted.key.partition("/")[2]
        self.held[decision.node.name, number] = Occupant(
            wanted.key,
            f"uid-{name}",
            name,
            wanted.namespace,
            decision.node.name,
            "shared",
            wanted.priority,
            SIZE,
            wanted.created_seconds,
        )
        self.waiting.remove(wanted)
        most = self.quota(wanted.namespace).most
        assert most is None or self.used(wanted.namespace) <= most, f"{wanted.namespace} exceeds its max"

    def of(self, team: str) -> list[Occupant]:
        return [each for each in self.held.values() if each.namespace == team]

    def used(self, team: str) -> int:
        return sum(each.bytes for each in self.of(team))

    def quota(self, team: str) -> Quota:
        return self.quotas.get(team, Quota())


@st.composite
def quotas(draw: st.DrawFn) -> dict[str, Quota]:
    """Mins that fit the cluster together, and maxes above them."""
    left, found = PLACES, {}
    for team in TEAMS:
        least = draw(st.integers(0, left))
        left -= least
        most = draw(st.one_of(st.none(), st.integers(least, PLACES)))
        if draw(st.booleans()):
            found[team] = Quota(least * SIZE, None if most is None else most * SIZE)
    return found


Asked = Sequence[tuple[str, int]]
ASKED = st.lists(st.tuples(st.sampled_from(TEAMS), st.integers(0, 2)), max_size=14)


def check(bounds: Mapping[str, Quota], asked: Asked) -> None:
    """Claims come one by one; then every namespace that waits has at least what it is promised."""
    world = World(bounds)
    for team, priority in asked:
        world.ask(team, priority)
        world.settle()
    for team in {wanted.namespace for wanted in world.waiting}:
        used, least = world.used(team), world.quota(team).least
        assert used + SIZE > least, (
            f"{team} waits with {used // SIZE} of {least // SIZE} partitions that it is promised"
        )


@settings(deadline=None, max_examples=60)
@given(quotas(), ASKED)
def test_what_is_promised_can_be_had_and_is_not_taken_and_no_max_is_exceeded(
    bounds: dict[str, Quota], asked: Asked
) -> None:
    check(bounds, asked)


def test_the_check_would_notice_a_promise_that_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preemption, "within_promise", lambda *_: False)
    with pytest.raises(AssertionError, match="waits with 0 of 2"):
        check({"team-a": Quota(2 * SIZE)}, [*[("team-b", 0)] * PLACES, ("team-a", 0)])


def test_the_check_would_notice_that_promised_memory_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preemption, "guaranteed", lambda *_: frozenset())
    with pytest.raises(AssertionError, match=r"takes what others are promised"):
        check({"team-b": Quota(PLACES * SIZE)}, [*[("team-b", 0)] * PLACES, ("team-a", 1)])
