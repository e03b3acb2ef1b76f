"""actionlint, which reads workflows as GitHub does: built once from its Go module, kept with the control plane's programs."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from e2e.plane import ensure_binaries
from e2e.plane.programs import Family, Program

ACTIONLINT = Family(
    "actionlint",
    "1.7.12",
    (Program("actionlint", "github.com/rhysd/actionlint/cmd/actionlint", 25),),
    parent=Path(__file__).parent / "tools",
)
_LIMIT_SECONDS = 60


def complaints(files: Sequence[Path]) -> list[str]:
    """A line for each thing that is wrong with workflows; what shell scripts in them do is not looked at."""
    program = ensure_binaries(families=(ACTIONLINT,))["actionlint"]
    words = [str(program), "-oneline", "-no-color", "-shellcheck=", "-pyflakes=", *map(str, files)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False)
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"actionlint ended with {done.returncode}: {done.stderr}")
    return done.stdout.splitlines()
