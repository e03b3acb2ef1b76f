"""Programs that are already on the machine: `KUBEBUILDER_ASSETS`, the folder that setup-envtest fills.

A program found there is used when it says that it is of the pinned minor version; otherwise it is built.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from e2e.plane.programs import Family, Program

VARIABLE = "KUBEBUILDER_ASSETS"
_ASK_LIMIT_SECONDS = 15


def provided(family: Family, program: Program, environ: Mapping[str, str] = os.environ) -> tuple[Path | None, str]:
    """The program to use, or None; and why not ("" when there is nothing to say)."""
    folder = environ.get(VARIABLE, "")
    if not folder:
        return None, ""
    candidate = Path(folder) / program.name
    if not candidate.is_file():
        return None, f"{program.name} is not in {VARIABLE} ({folder})"
    found = told_version(candidate)
    if found is None:
        return None, f"{candidate} does not tell its version"
    if found.split(".")[:2] != family.minor.split("."):
        return None, f"{candidate} is {found}, wanted {family.minor}"
    return candidate, ""


def told_version(binary: Path, environment: Mapping[str, str] | None = None) -> str | None:
    """What the binary prints as `x.y.z` for `--version`; None when it fails or prints no version.

    `environment` is added to our own.
    """
    try:
        told = subprocess.run(
            [binary, "--version"],
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=_ASK_LIMIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\bv?(\d+\.\d+\.\d+)", told.stdout)
    return match[1] if match else None
