"""A process whose date is moved, and whose hardware tells what was done to it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.inflict import scripted
from tests.chaos.process import RECORD, clock_file
from tests.chaos.schedule import HARDWARE_FAULTS, Fault, Kind
from tests.chaos.site import NODES

PROGRAM = """
import asyncio, os
from datetime import UTC, datetime
from pathlib import Path
from tests.chaos.process import arrange, clock_file
arrange()
from controller.agent.simulated_backend import SimulatedBackend, SimulatedShape
from controller.gpu.mode import ComputeMode, Mode
from controller.runtime.clock import RealClock

def ahead():
    return round((RealClock().now() - datetime.now(UTC)).total_seconds())

before = ahead()
clock_file(Path(os.environ["HOME"]), os.environ["POD_NAME"]).write_text("-3600")
print(before, ahead())
state = Path(os.environ["HOME"]) / "node-x.json"
held = frozenset()
backend = SimulatedBackend(
    SimulatedShape(Mode.parse("SPX/NPS1"), gpus=1, time_scale=0.0, state_file=state),
    RealClock(), held=lambda: held, used=dict,
)
(bdf,) = [gpu.bdf for gpu in backend.node().present]

async def change():
    global held
    await backend.set_compute_mode(bdf, ComputeMode("CPX"))
    await backend.reload_driver()
    held = frozenset({bdf})
    try:
        await backend.set_compute_mode(bdf, ComputeMode("SPX"))
    except Exception as error:
        print(type(error).__name__)

asyncio.run(change())
"""


def test_the_date_moves_and_only_what_was_done_is_recorded(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    environ = {"HOME": str(tmp_path), "POD_NAME": "agent-0", "PYTHONPATH": str(root), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "-3600", "Busy"]
    lines = [json.loads(line) for line in (tmp_path / RECORD).read_text().splitlines()]
    assert [(line["node"], line["what"]) for line in lines] == [
        ("node-x", "SetComputeMode"),
        ("node-x", "ReloadDriver"),
    ]
    assert all(line["begun"] <= line["ended"] for line in lines)
    assert clock_file(tmp_path, "agent-0").exists()


@pytest.mark.parametrize("detail", HARDWARE_FAULTS)
@pytest.mark.parametrize("agent", NODES)
def test_every_fault_of_the_hardware_can_be_scripted(agent: str, detail: str) -> None:
    found = scripted(Fault(Kind.HARDWARE, agent, 11.0, 12.0, detail=detail))
    assert found.fault == detail
    assert found.node in NODES[agent]
