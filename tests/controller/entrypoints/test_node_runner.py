"""One agent after another on a node, and what is told while none runs."""

import asyncio
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from opentelemetry.metrics import NoOpMeter

from api.v1beta1.gpu_node import OperationPhase
from controller.entrypoints.agent_options import AgentOptions, NodeOptions
from controller.entrypoints.node_runner import NodeRunner
from controller.gpu.figures import Holding, NodeFigures
from controller.gpu.mode import mode
from controller.runtime.client.configuration import ClientConfiguration
from tests.fakes.clock import SkippingClock

HELD = (Holding("team", "chat", "m", 100),)
FIGURES = NodeFigures("a", "simulated", True, "6.12.12", True)


class Notes:
    """A ledger that keeps its entries."""

    def __init__(self) -> None:
        self.held: list[tuple[Holding, ...]] = []

    def hold(self, holdings: tuple[Holding, ...]) -> None:
        self.held.append(holdings)

    def operation_ended(self, phase: OperationPhase) -> None:
        raise AssertionError("no operation here")


class Mortal:
    """An agent that reports once, and ends when it is let."""

    lives: ClassVar[list["Mortal"]] = []

    def __init__(self, *_: object, ledger: Notes, **__: object) -> None:
        self._ledger = ledger
        self.end = asyncio.Event()
        self.lives.append(self)

    async def run(self) -> None:
        self._ledger.hold(HELD)
        await self.end.wait()
        raise RuntimeError("ended")

    async def measure(self) -> NodeFigures:
        return FIGURES


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[NodeRunner, Notes]:
    monkeypatch.setattr("controller.entrypoints.node_runner.NodeAgent", Mortal)
    monkeypatch.setattr(Mortal, "lives", [])
    (tmp_path / "token").write_text("t")
    node = NodeOptions("a", tmp_path / "token", mode("CPX/NPS4"), 1)
    options = AgentOptions((node,), ClientConfiguration(server="http://nowhere"))
    notes = Notes()
    return NodeRunner(node, options, SkippingClock(), Random(1), NoOpMeter("test"), notes), notes


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the agents have nobody to tell
            await asyncio.sleep(0)


async def test_nobody_holds_anything_between_two_agents(runner: tuple[NodeRunner, Notes]) -> None:
    subject, notes = runner
    assert await subject.measure() is None
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(subject.run())
        await until(lambda: Mortal.lives)
        await until(lambda: notes.held)
        assert await subject.measure() is FIGURES
        Mortal.lives[0].end.set()
        await until(lambda: len(Mortal.lives) == 2 and len(notes.held) == 3)
        assert notes.held == [HELD, (), HELD]
        running.cancel()
    assert notes.held[-1] == ()
    assert await subject.measure() is None
