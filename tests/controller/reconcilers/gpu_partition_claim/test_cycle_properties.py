"""Invariants 1 and 2 under arbitrary interleavings, each with a control that shows the check can fail."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from controller.placement import filters
from controller.placement.decision import Placed
from controller.placement.demand import Demand, Resources
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Gpu
from controller.reconcilers.gpu_partition_claim.cycle import Outcome, PlacementCycle
from controller.reconcilers.gpu_partition_claim.pinning import pin_of
from controller.reconcilers.gpu_partition_claim.repair import PATIENCE_SECONDS, Repin, judge, pinned_demand
from controller.runtime.cache.informer import Informer
from controller.state.assumptions import Assumption
from tests.builders.claim import allocation, claim
from tests.builders.cluster import FedCluster, Object
from tests.builders.demand import demand
from tests.builders.gpu import device_name, gpu
from tests.builders.gpu_node import gpu_node, lease
from tests.builders.node import node_object
from tests.builders.resource_claim import resource_claim
from tests.fakes.clock import FakeClock

QUICK = settings(
    max_examples=100,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
#: Controls stop at the first failure: nothing is shrunk or kept.
CONTROL = settings(QUICK, max_examples=200, derandomize=True, phases=[Phase.generate], database=None, print_blob=False)

LAYOUT = {
    "worker-0": (gpu(0, "DPX/NPS1"), gpu(1, "SPX/NPS1")),
    "worker-1": (gpu(0, "QPX/NPS1"),),
}
SIZES = st.sampled_from([30, 40, 60, 100])
PLACES = st.sampled_from([(node, number, p.id.index) for node, gpus in LAYOUT.items()
                          for number, each in enumerate(gpus) for p in each.partitions])  # fmt: skip
FATES = st.sampled_from(["stored", "stored", "answer lost", "refused", "no answer"])

Place = tuple[str, str, int]


class Exclusive(RuleBasedStateMachine):
    """Invariant 1. `stored` is what the API server has; `on_the_way` what the watch has not shown yet.

    A claim's partition is exclusive from the moment its status is stored, whoever has seen it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.stored: dict[str, Object] = {}
        self.foreign: dict[str, Object] = {}
        self.demands: dict[str, Demand] = {}
        self.names = 0
        self.start()

    @initialize(sizes=st.lists(SIZES, max_size=4))
    def some_are_bound(self, sizes: list[int]) -> None:
        """Claims of before, so that every rule has something to work on from the first step."""
        self.ask(sizes, 0)
        self.decide(False)
        self.write(["stored"] * len(sizes))
        self.watch(2 * len(sizes))

    @precondition(lambda self: self.names > 5)
    @rule()
    def start(self) -> None:
        """A new life of the operator: it lists, and every pending claim is submitted again."""
        self.fed = FedCluster(self.clock)
        self.cluster = self.fed.cluster
        self.on_the_way: list[tuple[Informer[Any], Object, bool]] = []
        self.repairs: dict[str, Placed] = {}
        self.fed.listed(self.cluster.claims, *self.stored.values())
        self.fed.listed(self.cluster.resource_claims, *self.foreign.values())
        for node, gpus in LAYOUT.items():
            self.fed.add_node(node, *gpus)
        self.cycle = PlacementCycle(self.cluster, ModelScheduler(), self.clock, lambda _: None)
        for key, wanted in self.demands.items():
            if self.place(key) is None:
                self.cycle.submit(wanted)

    def place(self, key: str) -> Place | None:
        """The partition that the stored claim has."""
        given = self.stored[key]["status"].get("allocation")
        if given is None:
            return None
        device = given["devices"][0]
        return given["node"], device["bdf"], device["partition"]

    @rule(sizes=st.lists(SIZES, min_size=1, max_size=3), priority=st.integers(0, 2))
    def ask(self, sizes: list[int], priority: int) -> None:
        for gib in sizes:
            self.names += 1
            name = f"aim-{self.names}"
            key = f"team-a/{name}"
            self.demands[key] = demand(name, gib, priority=priority, created_seconds=float(self.names))
            self.stored[key] = claim(name)
            self.on_the_way.append((self.cluster.claims, self.stored[key], False))
            self.cycle.submit(self.demands[key])

    @rule(retry=st.booleans())
    def decide(self, retry: bool) -> None:
        self.cycle.decide(retry=retry)

    @rule(fates=st.lists(FATES, min_size=1, max_size=4))
    def write(self, fates: list[str]) -> None:
        """The reconciler acts on outcomes, as placing does; those beyond `fates` are taken later."""
        decided = [(key, outcome) for key in self.demands if (outcome := self.cycle.take(key)) is not None]
        for number, (key, outcome) in enumerate(decided):
            if number >= len(fates):
                self.cycle.restore(key, outcome)
            elif isinstance(outcome.decision, Placed):
                self.act(key, outcome, outcome.decision, fates[number])

    def act(self, key: str, outcome: Outcome, placed: Placed, fate: str) -> None:
        if fate == "no answer":
            self.cycle.restore(key, outcome)
        elif self.place(key) is not None:
            pass  # a conflict, and the stored claim shows that the earlier try had landed
        elif fate == "refused":
            self.cluster.assumptions.forget(key)
            self.cycle.submit(self.demands[key])
        else:
            self.store(key, placed)
            if fate == "answer lost":
                self.cycle.restore(key, outcome)

    def store(self, key: str, placed: Placed) -> None:
        number = [each.bdf for each in LAYOUT[placed.node.name]].index(placed.gpu.bdf)
        whole = LAYOUT[placed.node.name][number]
        given = allocation(placed.node.name, number, placed.partition.id.index, of=whole)
        self.stored[key] = self.stored[key] | {"status": {"phase": "Bound", "allocation": given}}
        self.on_the_way.append((self.cluster.claims, self.stored[key], False))

    def repairable(self) -> list[str]:
        """Claims that show a partition, with nothing of theirs on the way."""
        shown = ((key, self.cluster.claim_table.get(key)) for key in self.stored)
        bound = [key for key, seen in shown if seen is not None and seen.status.allocation is not None]
        return [key for key in bound if self.cluster.assumptions.get(key) is None]

    @precondition(lambda self: self.repairable())
    @rule(data=st.data())
    def repair(self, data: st.DataObject) -> None:
        """A claim whose device somebody else got: another partition is chosen, its write goes out."""
        key = data.draw(st.sampled_from(self.repairable()))
        seen, wanted = self.cluster.claim_table.get(key), self.demands[key]
        assert seen is not None
        verdict = judge(
            self.cluster.snapshot(),
            seen,
            pinned_demand(key, wanted.uid, wanted.namespace, wanted.requirement),
            lost=pin_of(seen).names,
            refused=False,
            owned=True,
            age=PATIENCE_SECONDS,
        )
        if isinstance(verdict, Repin):
            self.promise(key, verdict.placed)
            self.repairs[key] = verdict.placed

    def promise(self, key: str, placed: Placed) -> None:
        wanted = self.demands[key]
        promised = Assumption(key, wanted.uid, placed.node.name, placed.ids, Resources())
        self.cluster.assumptions.add(promised)

    @precondition(lambda self: self.repairs)
    @rule(data=st.data(), fate=FATES)
    def repair_comes_back(self, data: st.DataObject, fate: str) -> None:
        """The write has an end; one that nobody answered goes out again for the same partition."""
        key = data.draw(st.sampled_from(sorted(self.repairs)))
        if fate == "no answer":
            return
        placed = self.repairs.pop(key)
        if fate == "refused":
            self.cluster.assumptions.forget(key)
        else:
            self.store(key, placed)

    @precondition(lambda self: self.on_the_way)
    @rule(count=st.integers(1, 4))
    def watch(self, count: int) -> None:
        """The next events arrive, in order."""
        for informer, obj, deleted in self.on_the_way[:count]:
            self.fed.drop(informer, obj) if deleted else self.fed.put(informer, obj)
        del self.on_the_way[:count]

    @precondition(lambda self: self.demands)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.demands)))
        self.on_the_way.append((self.cluster.claims, self.stored.pop(key), True))
        del self.demands[key]
        self.repairs.pop(key, None)
        self.cycle.withdraw(key)

    @rule(place=PLACES)
    def somebody_else_takes(self, place: tuple[str, int, int]) -> None:
        node, number, index = place
        made = resource_claim(f"theirs-{node}-{number}-{index}", device=device_name(number, index), pool=node)
        self.foreign[made["metadata"]["name"]] = made
        self.on_the_way.append((self.cluster.resource_claims, made, False))

    @invariant()
    def no_partition_is_held_twice(self) -> None:
        held = [place for key in self.stored if (place := self.place(key)) is not None]
        assert len(held) == len(set(held)), f"two claims hold one partition: {sorted(held)}"

    @invariant()
    def nothing_is_promised_twice(self) -> None:
        promised = [(each.node, number) for each in self.cluster.assumptions for number in each.partitions]
        assert len(promised) == len(set(promised))


class Forgetful(Exclusive):
    """A control: decisions do not count until they are seen."""

    @rule(retry=st.booleans())
    def decide(self, retry: bool) -> None:
        self.cycle.decide(retry=retry)
        for each in self.cluster.assumptions:
            self.cluster.assumptions.forget(each.claim)


class Careless(Exclusive):
    """A control: what a repair has chosen does not count until it is seen."""

    @initialize(sizes=st.just([40, 40]))
    def some_are_bound(self, sizes: list[int]) -> None:
        super().some_are_bound(sizes)

    def promise(self, key: str, placed: Placed) -> None:
        """Nothing is."""


MODES = st.sampled_from(["SPX/NPS1", "DPX/NPS1", "CPX/NPS1"])


class Fresh(RuleBasedStateMachine):
    """Invariant 2. The machine keeps its own record of what agents reported and when they were heard of."""

    def __init__(self) -> None:
        super().__init__()
        self.fed = FedCluster()
        self.keys: list[str] = []
        self.cycle = PlacementCycle(self.fed.cluster, ModelScheduler(), self.fed.clock, self.keys.append)
        self.reported: dict[str, Gpu] = {}
        self.heard_at: dict[str, float] = {}
        self.beats: dict[str, int] = {}
        self.elapsed = 0.0
        self.names = 0

    @initialize()
    def first_sight(self) -> None:
        """Leases of agents that may be long dead are there already."""
        self.fed.listed(self.fed.cluster.leases, *(lease(node) for node in LAYOUT))
        for node in LAYOUT:
            self.fed.put(self.fed.cluster.nodes, node_object(node))
            self.reports(node, "SPX/NPS1")

    @rule(node=st.sampled_from(sorted(LAYOUT)), mode=MODES)
    def reports(self, node: str, mode: str) -> None:
        self.reported[node] = gpu(0, mode)
        self.fed.put(self.fed.cluster.gpu_nodes, gpu_node(node, self.reported[node]))

    @rule(node=st.sampled_from(sorted(LAYOUT)))
    def beat(self, node: str) -> None:
        self.beats[node] = self.beats.get(node, 0) + 1
        self.fed.put(self.fed.cluster.leases, lease(node, beat=self.beats[node]))
        self.heard_at[node] = self.elapsed

    @rule(node=st.sampled_from(sorted(LAYOUT)))
    def lease_is_relabelled(self, node: str) -> None:
        """A change of the Lease that is no heartbeat."""
        self.fed.put(self.fed.cluster.leases, lease(node, beat=self.beats.get(node, 0)))

    @rule(seconds=st.sampled_from([1.0, 15.0, 39.0, 41.0]))
    def time_passes(self, seconds: float) -> None:
        self.fed.clock.tick(seconds)
        self.elapsed += seconds

    @rule(gib=SIZES, retry=st.booleans())
    def ask_and_decide(self, gib: int, retry: bool) -> None:
        self.names += 1
        self.cycle.submit(demand(f"aim-{self.names}", gib))
        self.cycle.decide(retry=retry)
        while self.keys:
            outcome = self.cycle.take(self.keys.pop())
            if outcome is not None and isinstance(outcome.decision, Placed):
                self.check(outcome.decision)

    def check(self, placed: Placed) -> None:
        name = placed.node.name
        assert name in self.heard_at, f"{name} was never heard of"
        assert self.elapsed - self.heard_at[name] <= 40, f"{name} is silent"
        now = self.reported[name]
        assert placed.mode == now.mode
        assert placed.partition in now.partitions

    @rule()
    def everything_is_released(self) -> None:
        for each in self.fed.cluster.assumptions:
            self.cycle.withdraw(each.claim)


@pytest.mark.parametrize(
    "machine", [Exclusive, Fresh], ids=["no partition is held twice", "only fresh inventories bind"]
)
def test_invariants(machine: type[RuleBasedStateMachine]) -> None:
    run_state_machine_as_test(machine, settings=QUICK)


def without(monkeypatch: pytest.MonkeyPatch, table: str, reason: str) -> None:
    checks = getattr(filters, table)
    monkeypatch.setattr(filters, table, tuple(row for row in checks if row[0] != reason))


@pytest.mark.parametrize("machine", [Forgetful, Careless], ids=["of decisions", "of repairs"])
def test_without_assumptions_a_partition_would_be_held_twice(machine: type[RuleBasedStateMachine]) -> None:
    with pytest.raises(AssertionError, match="two claims hold one partition"):
        run_state_machine_as_test(machine, settings=CONTROL)


def test_without_the_check_of_holders_placement_would_stop_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "PARTITION_FILTERS", "PartitionHeld")
    with pytest.raises(RuntimeError, match=r"cannot (hold|assume) it"):
        run_state_machine_as_test(Exclusive, settings=CONTROL)


def test_without_the_check_of_heartbeats_a_silent_node_would_be_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "NODE_FILTERS", "StaleInventory")
    with pytest.raises(AssertionError, match=r"was never heard of|is silent"):
        run_state_machine_as_test(Fresh, settings=CONTROL)
