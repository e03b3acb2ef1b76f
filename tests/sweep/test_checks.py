"""The checks of the sweep find what they are there to find: each row plants one bug."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest.mock import patch

import pytest

from controller.agent.node_agent import NodeAgent
from controller.agent.simulated_faults import Fault
from controller.reconcilers.repartition_plan import closing
from controller.repartition.phases import Phase
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from tests.fakes.virtual_loop import run_virtually
from tests.sweep.actions import Action, take_a_gpu
from tests.sweep.case import running
from tests.sweep.faults import OVER, FaultCase, play_fault
from tests.sweep.kubernetes import NAMESPACE, allocated
from tests.sweep.scripts import Script
from tests.sweep.world import World

Planted = Callable[[], AbstractContextManager[Any]]


async def _nothing(*_: object) -> None:
    return None


def _operation_stays() -> AbstractContextManager[Any]:
    return patch.object(closing, "clear", _nothing)


def _agent_sees_no_holders() -> AbstractContextManager[Any]:
    return patch.object(NodeAgent, "held", lambda _: frozenset())


def _places_are_never_given_up() -> AbstractContextManager[Any]:
    return patch.object(closing, "still_kept", lambda _, plan: plan.status.reservations)


def _no_bug() -> AbstractContextManager[Any]:
    return nullcontext()


def _give_away_twice(world: World) -> None:
    """Another claim gets the device that a model has."""
    held = next(claim for claim in world.store.list(RESOURCE_CLAIMS) if allocated(claim))
    world.store.create(RESOURCE_CLAIMS, {"metadata": {"name": "thief", "namespace": NAMESPACE}, "spec": {}})
    world.store.write(RESOURCE_CLAIMS, "thief", NAMESPACE, {"status": held["status"]}, subresource="status")
    world.later(5, lambda: world.store.delete(RESOURCE_CLAIMS, "thief", NAMESPACE))


def _evict(count: int) -> Action:
    """Pods have to go as if the operator had said so, and no plan's status knows of it."""

    def act(world: World) -> None:
        for pod in world.store.list(PODS, labels="model=true")[:count]:
            world.store.evict(pod["metadata"]["name"], pod["metadata"]["namespace"], who="operator")

    return act


async def _find(planted: Planted, script: Script) -> None:
    async with running() as run:
        with planted():
            for process in run.world.processes:
                process.kill()
            run.world.start()
            run.begin(script)
            await run.settled(300.0)
            run.judge(frozenset({Phase.SUCCEEDED}))


@pytest.mark.parametrize(
    ("planted", "script", "want"),
    [
        (_operation_stays, Script(), "still has operation"),
        (_places_are_never_given_up, Script(), "still keeps"),
        (_no_bug, Script(first=_evict(1)), "without a place for its successor"),
        (_no_bug, Script(first=_evict(3)), "models are down after an eviction"),
        (_no_bug, Script(first=_give_away_twice), "at once"),
        (_agent_sees_no_holders, Script(at={Phase.APPLYING: take_a_gpu(20)}), "while foreign holds"),
    ],
)
def test_a_planted_bug_is_found(planted: Planted, script: Script, want: str) -> None:
    with pytest.raises(AssertionError, match=want):
        run_virtually(_find(planted, script))


async def _play_without_a_way_back(case: FaultCase) -> None:
    async with running() as run:
        with patch.dict(OVER, clear=True):
            await play_fault(run, case)


def test_a_fault_that_strikes_nothing_is_found() -> None:
    with pytest.raises(AssertionError, match="Busy never struck before the plan ended"):
        run_virtually(_play_without_a_way_back(FaultCase(Fault.BUSY, Phase.VERIFYING)))
