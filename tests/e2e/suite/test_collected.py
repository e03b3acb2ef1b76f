"""The same scenarios run wherever they run: what is collected does not depend on what the environment names."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

SUITE = ROOT / "e2e/suite"
LIMIT_SECONDS = 60
PLACES = {
    "kind": {"KUBECONFIG": "/kind", "AIM_E2E_IMAGE": "localhost/aim-gpu-sharing:e2e"},
    "plane": {
        "KUBECONFIG": "/plane",
        "AIM_E2E_IMAGE": "localhost/aim-gpu-sharing:dev",
        "AIM_E2E_FORMER_IMAGE": "localhost/aim-gpu-sharing:0.1.0",
        "AIM_E2E_ENGINE_IMAGE": "localhost/busybox",
    },
}


def collected(environment: dict[str, str]) -> list[str]:
    """The ids of what pytest would run with these variables and none of ours besides."""
    clean = {key: value for key, value in os.environ.items() if key != "KUBECONFIG" and not key.startswith("AIM_E2E_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", str(SUITE)],
        cwd=ROOT,
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if "::" in line]


@pytest.mark.timeout(3 * LIMIT_SECONDS)
def test_both_places_run_the_same_scenarios_and_all_of_them() -> None:
    kind, plane = (collected(PLACES[place]) for place in ("kind", "plane"))
    assert kind == plane
    written = [
        f"e2e/suite/{file.name}::{name}"
        for file in sorted(SUITE.glob("test_*.py"))
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert sorted({one.partition("[")[0] for one in kind}) == sorted(written)


def test_every_scenario_says_what_it_needs_of_a_cluster() -> None:
    silent = [file.name for file in Path(SUITE).glob("test_*.py") if "pytest.mark.needs_" not in file.read_text()]
    assert silent == []
