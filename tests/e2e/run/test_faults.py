import re
from pathlib import Path

import pytest

from controller.agent.simulated_faults import FaultScriptError
from e2e.run.command import playable
from e2e.run.expectation import Expectation, expectation
from e2e.run.install import ROOT


@pytest.fixture(scope="module")
def wanted() -> Expectation:
    return expectation(ROOT / "examples")


def test_the_scripts_of_the_readme_are_played(tmp_path: Path, wanted: Expectation) -> None:
    section = (ROOT / "README.md").read_text().partition("\n### Break it\n")[2].partition("\n## ")[0]
    scripts = re.findall(r"^echo '(.*)' > build/\w+\.json$", section, re.MULTILINE)
    assert len(scripts) == section.count("make run FAULTS=build/") == 2
    for script in scripts:
        file = tmp_path / "faults.json"
        file.write_text(script)
        assert playable(file, wanted) == file
    assert playable(None, wanted) is None


def test_one_for_another_node_is_refused_before_anything_starts(tmp_path: Path, wanted: Expectation) -> None:
    file = tmp_path / "faults.json"
    file.write_text('{"faults": [{"fault": "Busy", "node": "node-1"}]}')
    with pytest.raises(FaultScriptError, match="node 'node-1': is not simulated here; use one of gpu-a, gpu-b, gpu-c"):
        playable(file, wanted)
