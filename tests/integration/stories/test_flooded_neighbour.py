"""The flooded neighbour as its page starts it: a process, its exit code, what it prints."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT
from tests.integration.stories.told import told

pytestmark = [pytest.mark.plane, pytest.mark.timeout(300)]

PAGE = ROOT / "examples/flooded-neighbour/README.md"


def test_the_guarantees_hold_as_the_page_says(tmp_path: Path) -> None:
    (part,) = told(PAGE)
    python, *arguments = part.commands.split()
    assert python == ".venv/bin/python"
    done = subprocess.run(
        [sys.executable, *arguments, "--folder", str(tmp_path / "kept")],
        cwd=ROOT,
        env={**os.environ, "KSERVE": "0", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    last = json.loads(done.stdout.strip().splitlines()[-1])
    assert (last["failed"], last["guarantees_broken"]) == (0, 0)
    assert last["flood_refused"] > 0
    assert last["neighbour_wait_p99_ms"] > 0
    assert part.answer is not None
    (line,) = [line for line in part.answer.splitlines() if line != "..."]
    assert line.removesuffix(" ...") in " ".join(done.stderr.split())
