"""`python -m tests.rights`: whether operator, agents and live map need every right that the chart gives them.

Tests run on planes whose audit logs tell every request of ours; a right without which no request would have been
refused fails the run.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from e2e.chart import installed
from tests.rights.grants import Grant, grants, unused
from tests.rights.owners import OWNERS
from tests.rights.requests import Request

ACCOUNTS: Final = ("aim-gpu-operator", "aim-gpu-agent", "aim-gpu-ui")
_INTEGRATION: Final = "tests/integration"
FILES: Final = (
    f"{_INTEGRATION}/operator/test_model_profiles.py",
    f"{_INTEGRATION}/operator/test_mode_change.py",
    f"{_INTEGRATION}/operator/test_node_taint.py",
    f"{_INTEGRATION}/operator/test_handover.py",
    f"{_INTEGRATION}/operator/test_replicas.py",
    f"{_INTEGRATION}/operator/test_share_group.py",
    f"{_INTEGRATION}/operator/test_taken_name.py",
    f"{_INTEGRATION}/run/test_leader_kills.py",
    f"{_INTEGRATION}/migration",
    f"{_INTEGRATION}/certificates",
    f"{_INTEGRATION}/agent",
    f"{_INTEGRATION}/ui/test_shared_map.py",
    f"{_INTEGRATION}/kserve/test_kserve_flow.py",
    f"{_INTEGRATION}/node/test_gate_to_start.py",  # by root alone: the kubelet has claims prepared
    "tests/rights",
)
"""Where each right is used."""


def verdict(granted: set[Grant], by_file: Mapping[str, set[Request]]) -> list[str]:
    """A line for each right that nothing needed, without those that admission alone asks for."""
    asked = {one for found in by_file.values() for one in found}
    return [f"{one.account}: {one}" for one in sorted(unused(granted, asked)) if str(one) not in OWNERS]


def used_by(granted: set[Grant], by_file: Mapping[str, set[Request]]) -> list[str]:
    """How many rights each file is the first to use."""
    left, lines = set(granted), []
    for file, found in by_file.items():
        first = left - unused(granted, found)
        left -= first
        lines.append(f"{len(first):4d} {file}")
    return lines


def main() -> int:
    """Run them; 1 where a right was not needed, pytest's own code where a test failed."""
    granted = {one for one in grants(installed.around_processes()) if one.account in ACCOUNTS}
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "requests.json"
        options = ["-q", "-m", "plane", "-p", "tests.rights.recording", "--requests-into", str(into)]
        done = subprocess.run([sys.executable, "-m", "pytest", *options, *FILES], env=os.environ, check=False)
        if done.returncode != 0:
            return done.returncode
        read = json.loads(into.read_text(encoding="utf-8"))
    by_file = {file: {Request(*one) for one in found} for file, found in read.items()}
    wrong = verdict(granted, by_file)
    sys.stdout.write("rights first used by\n" + "\n".join(used_by(granted, by_file)) + "\n")
    sys.stdout.write("".join(f"nothing needs {line}\n" for line in wrong))
    sys.stdout.write(f"{len(granted)} rights of {', '.join(ACCOUNTS)}, not needed: {len(wrong)}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
