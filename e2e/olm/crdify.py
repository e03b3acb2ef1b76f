"""crdify, by which OLM v1 judges whether a CRD may be replaced by a newer one."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from e2e.olm.checks import Unreadable
from e2e.plane import ensure_binaries
from e2e.plane.programs import CRDIFY

_LIMIT_SECONDS: Final = 60
_CONFIGURATION: Final = Path(__file__).with_name("olm-v1.yaml")
_REPORT: Final = "CRD Validations"
_ERROR: Final = " - ERROR - "


@dataclass(frozen=True, slots=True)
class Crdify:
    """The program, configured as OLM v1 has it."""

    program: Path

    @classmethod
    def built(cls) -> Self:
        """That of the cache, built if it is not there yet. Raises PlaneError's tree."""
        return cls(ensure_binaries(families=(CRDIFY,))["crdify"])

    def refused(self, old: Path, new: Path) -> list[str]:
        """Why one CRD's file may not follow another's, a line each. Raises Unreadable, as it ends with 1 for both."""
        command = [str(self.program), f"--config={_CONFIGURATION}", f"file://{old}", f"file://{new}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False)
        if _REPORT not in done.stdout:
            raise Unreadable(f"crdify {old} {new}: {done.stderr.strip()}")
        lines = [line for line in done.stdout.splitlines() if _ERROR in line]
        if bool(lines) != (done.returncode != 0):
            raise Unreadable(f"crdify {old} {new}: ends with {done.returncode} and {len(lines)} errors")
        return lines
