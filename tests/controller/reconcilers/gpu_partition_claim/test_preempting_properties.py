"""Pods of three priorities come and go on one full node, budgets refuse, the operator dies: whoever is evicted matters
less than who gets the place, one at a time, and in the end nobody waits who matters more than somebody that has a place.
"""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from controller.placement import preemption
from controller.placement.victim_sets import VictimSets
from controller.reconcilers.gpu_partition_claim.nominating import Nominating
from controller.reconcilers.gpu_partition_claim.refusals import SPARED_SECONDS
from controller.runtime.client.core import NODES, PODS
from controller.runtime.client.errors import TooManyRequests, Unavailable
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.pod import pod
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.fakes.clock import FakeClock

DPX = gpu(0, "DPX/NPS1")
PRIORITIES = (0, 10, 20)


class Preempting(RuleBasedStateMachine):
    """A node of two partitions, its pods, and an operator that may die."""

    @initialize()
    def begin(self) -> None:
        self.clock, self.api = FakeClock(), InMemoryApi()
        self.api.put(NODES, node_object())
        self.api.put(GPU_NODES, gpu_node("worker-0", DPX))
        self.operator = Operator(self.api, self.clock)
        self.made = 0
        self.refusing: set[str] = set()
        self.watch()

    def watch(self) -> None:
        """The API server as it is while nobody interferes: disruption budgets, and a look at each eviction."""
        real = InMemoryApi.evict

        async def evict(name: str, namespace: str, uid: str | None = None) -> None:
            if name in self.refusing:
                raise TooManyRequests(429, "TooManyRequests", "a budget forbids it")
            self.judge(name)
            await real(self.api, name, namespace, uid)

        self.api.evict = evict  # type: ignore[method-assign]

    def judge(self, name: str) -> None:
        victim = self.pods()[name]
        wanted = [
            self.priority(self.pods()[claim["spec"]["podRef"]["name"]])
            for claim in self.api.of(GPU_PARTITION_CLAIMS)
            if victim["metadata"]["uid"] in claim.get("status", {}).get("nomination", {}).get("victims", ())
        ]
        assert wanted, f"{name} is evicted, and no place of its is kept for anybody"
        assert max(wanted) > self.priority(victim), f"{name} is evicted for one that matters no more"
        assert not self.leaving(), f"{name} is evicted while {self.leaving()} leaves"

    @rule(priority=st.sampled_from(PRIORITIES))
    def comes(self, priority: int) -> None:
        self.made += 1
        name = f"p-{self.made}"
        self.api.put(PODS, pod(name, claim=f"aim-{name}", annotations=SMALL, priority=priority))

    @rule(data=st.data())
    def ends(self, data: st.DataObject) -> None:
        if self.pods():
            self.remove(data.draw(st.sampled_from(sorted(self.pods()))))

    @rule()
    def those_asked_leave(self) -> None:
        for name in self.leaving():
            self.remove(name)

    @rule(data=st.data())
    def a_budget_changes(self, data: st.DataObject) -> None:
        if self.pods():
            self.refusing ^= {data.draw(st.sampled_from(sorted(self.pods())))}

    @rule(writes=st.integers(0, 6))
    def dies(self, writes: int) -> None:
        left = [writes]

        def check(_: str) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Unavailable(503, "Unavailable", "nobody answers")

        self.api.before_write = check
        self.turn()
        self.api.before_write = lambda _: None
        self.operator = Operator(self.api, self.clock)

    @rule()
    def turn(self) -> None:
        keys = [f"team-a/aim-{name}" for name in self.pods()]
        claims = [f"team-a/{claim['metadata']['name']}" for claim in self.api.of(GPU_PARTITION_CLAIMS)]
        asyncio.run(self.operator.round(*dict.fromkeys([*keys, *claims])))

    @rule()
    def time_goes_by(self) -> None:
        self.clock.tick(2 * SPARED_SECONDS)

    @invariant()
    def no_partition_is_held_twice(self) -> None:
        found = [number for number, _ in self.places()]
        assert len(found) == len(set(found)), f"{found} are held"

    def teardown(self) -> None:
        if not hasattr(self, "api"):
            return
        self.refusing.clear()
        for _ in range(8 + 4 * len(self.pods())):
            self.time_goes_by()
            self.turn()
            self.those_asked_leave()
        placed = {name for _, name in self.places()}
        waiting = [self.priority(one) for name, one in self.pods().items() if name not in placed]
        held = [self.priority(self.pods()[name]) for name in placed]
        assert not waiting or (len(held) == 2 and max(waiting) <= min(held)), f"{waiting} wait, {held} have places"

    def pods(self) -> dict[str, dict[str, Any]]:
        return {one["metadata"]["name"]: one for one in self.api.of(PODS)}

    def leaving(self) -> list[str]:
        return [name for name, one in self.pods().items() if "deletionTimestamp" in one["metadata"]]

    def remove(self, name: str) -> None:
        del self.api.objects["pods", "team-a", name]
        self.api.objects.pop(("gpupartitionclaims", "team-a", f"aim-{name}"), None)
        self.api.objects.pop(("resourceclaims", "team-a", f"aim-{name}"), None)

    def places(self) -> list[tuple[int, str]]:
        """The partitions that claims have, with the claims' pods."""
        return [
            (claim["status"]["allocation"]["devices"][0]["partition"], claim["spec"]["podRef"]["name"])
            for claim in self.api.of(GPU_PARTITION_CLAIMS)
            if claim.get("status", {}).get("allocation")
        ]

    @staticmethod
    def priority(one: dict[str, Any]) -> int:
        return int(one["spec"].get("priority", 0))


QUICK = settings(max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_whoever_matters_more_gets_a_place_in_the_end_and_nobody_leaves_for_less() -> None:
    run_state_machine_as_test(Preempting, settings=QUICK)


def test_the_check_would_notice_that_equals_are_evicted(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name in (
        (preemption.Preemptor, "_may_go"),
        (preemption.Preemptor, "_has_rights"),
        (Nominating, "_could"),
    ):
        monkeypatch.setattr(owner, name, lambda *_, **__: True)
    monkeypatch.setattr(VictimSets, "_by_right", lambda *_: True)
    with pytest.raises(AssertionError, match="matters no more"):
        three_equals(Preempting())


def three_equals(machine: Preempting) -> None:
    """One more than there are places, all alike."""
    machine.begin()
    for _ in range(3):
        machine.comes(10)
        machine.turn()
        machine.turn()
