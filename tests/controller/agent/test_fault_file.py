from pathlib import Path

import pytest

from controller.agent.fault_file import load_script
from controller.agent.simulated_faults import Call, Durations, Fault, FaultScript, FaultScriptError, ScriptedFault


def test_a_script_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text(
        '{"durations": {"compute_seconds": 3},'
        ' "faults": [{"fault": "Busy", "call": "SetMemoryMode", "nth": 2}, {"fault": "GpuLost", "seconds": 60,'
        ' "node": "node-1"}]}'
    )
    lost = ScriptedFault(Fault.GPU_LOST, seconds=60.0, node="node-1")
    assert load_script(file) == FaultScript(
        (ScriptedFault(Fault.BUSY, Call.SET_MEMORY_MODE, nth=2), lost), Durations(compute_seconds=3.0)
    )


@pytest.mark.parametrize(
    ("content", "want"),
    [
        pytest.param("{", r'truncated: write JSON such as \{"faults"', id="cut off"),
        pytest.param(
            '{"faults": [{"fault": "Lazy"}]}', r"Lazy.*faults\[0\]\.fault.*use one of Busy, Not", id="unknown"
        ),
        pytest.param('{"faults": [{"nth": 2}]}', r"required field `fault`.*faults\[0\].*one of Busy", id="no fault"),
        pytest.param(
            '{"faults": [{"fault": "Busy", "call": "Write"}]}', "'Write'.*use one of Read, Set", id="unknown call"
        ),
        pytest.param(
            '{"faults": [{"fault": "Busy", "often": 1}]}', r"unknown field `often`.*fields are fault, call", id="field"
        ),
        pytest.param(
            '{"durations": {"reload": 1}}',
            "unknown field `reload`.*fields are compute_seconds",
            id="a duration's field",
        ),
        pytest.param(
            '{"fault": "Busy"}', "unknown field `fault`.*fields are faults, durations", id="the script's field"
        ),
        pytest.param('{"faults": [{"fault": "Busy", "nth": 0}]}', "nth 0: give 1 or more - at", id="nth 0"),
        pytest.param('{"faults": [{"fault": "Busy", "times": -1}]}', "times -1: give 0", id="less than never"),
        pytest.param('{"faults": [{"fault": "GpuLost", "seconds": -3}]}', "seconds -3: give 0", id="over before"),
        pytest.param(
            '{"faults": [{"fault": "Busy", "nth": 2, "seconds": 3}]}', "seconds 3: it strikes calls", id="does not last"
        ),
        pytest.param('{"faults": [{"fault": "Busy", "call": "Read"}]}', "it can be at SetComputeMode", id="wrong call"),
        pytest.param(
            '{"durations": {"compute_seconds": "x"}}', r"durations.compute_seconds.*give it as", id="no number"
        ),
        pytest.param(
            '{"durations": {"reload_seconds": -3}}', "durations: reload_seconds -3: give 0 or more", id="back in time"
        ),
    ],
)
def test_a_script_that_cannot_be_played_is_refused_by_place(tmp_path: Path, content: str, want: str) -> None:
    file = tmp_path / "faults.json"
    file.write_text(content)
    with pytest.raises(FaultScriptError, match=rf"faults\.json: .*{want}"):
        load_script(file)


def test_a_script_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FaultScriptError, match="cannot be read"):
        load_script(tmp_path / "absent.json")
