from pathlib import Path

import pytest

from controller.agent.simulated_faults import FaultScriptError
from e2e.run.command import playable
from e2e.run.expectation import Expectation, expectation
from e2e.run.install import ROOT


@pytest.fixture(scope="module")
def wanted() -> Expectation:
    return expectation(ROOT / "examples")


def test_a_script_for_the_nodes_of_the_examples_is_played(tmp_path: Path, wanted: Expectation) -> None:
    file = tmp_path / "faults.json"
    file.write_text('{"faults": [{"fault": "MemoryErrors", "node": "gpu-b", "gpu": "0000:05:00.0", "nth": 6}]}')
    assert (playable(file, wanted), playable(None, wanted)) == (file, None)


def test_one_for_another_node_is_refused_before_anything_starts(tmp_path: Path, wanted: Expectation) -> None:
    file = tmp_path / "faults.json"
    file.write_text('{"faults": [{"fault": "Busy", "node": "node-1"}]}')
    with pytest.raises(FaultScriptError, match="node 'node-1': is not simulated here; use one of gpu-a, gpu-b, gpu-c"):
        playable(file, wanted)
