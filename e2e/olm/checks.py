"""The checks of operator-framework's library, run over the folder of a bundle."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from e2e.plane import PlaneError, ensure_binaries
from e2e.plane.programs import OPERATOR_VERIFY

_LIMIT_SECONDS: Final = 120
_LINE: Final = re.compile(r'level=(?P<level>\w+) msg="(?P<said>.*)"$')


class Unreadable(PlaneError):
    """No bundle is in the folder; what the program said is the text."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says of a bundle: `level` is "error" or "warning"."""

    level: str
    detail: str


@dataclass(frozen=True, slots=True)
class BundleChecks:
    """`operator_verify` is the framework's own command, `bundle_findings` ours around more of its library."""

    operator_verify: Path
    bundle_findings: Path

    @classmethod
    def built(cls) -> Self:
        """Those of the cache, built if they are not there yet. Raises PlaneError's tree."""
        found = ensure_binaries(families=(OPERATOR_VERIFY,))
        return cls(found["operator-verify"], found["bundle-findings"])

    def verified(self, bundle: Path) -> list[Finding]:
        """All that `operator-verify` says with both optional checks; it ends with 0 whatever it finds."""
        options = ["--operatorhub_validate", "--object_validate"]
        done = _run([str(self.operator_verify), "manifests", *options, str(bundle)])
        if done.returncode != 0:
            raise Unreadable(f"operator-verify {bundle}: {done.stderr.strip()}")
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        matches = [_LINE.search(line) for line in lines]
        if None in matches:
            raise Unreadable(f"operator-verify said what is no line of a log: {done.stderr.strip()}")
        return [Finding(match["level"], match["said"]) for match in matches if match is not None]

    def findings(self, bundle: Path, kubernetes: str) -> list[Finding]:
        """All that the library finds, for a cluster of that version. Raises Unreadable."""
        done = _run([str(self.bundle_findings), str(bundle), kubernetes])
        if done.returncode != 0:
            raise Unreadable(f"{bundle}: {done.stderr.strip()}")
        told = [json.loads(line) for line in done.stdout.splitlines()]
        return [Finding(each["level"], each["detail"]) for each in told]


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False)
