"""What pip-audit says of a list of distributions.

It ends well, with "no known vulnerabilities", also when its source knows none of the distributions, as a mirror
without PyPI's JSON interface does not. Here what was not looked at is told, and is a failure.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LIMIT_SECONDS = 300
PYPI = "pypi"
SERVICES = {
    PYPI: "the package index (by its JSON interface, which mirrors lack)",
    "osv": "OSV (api.osv.dev)",
}
"""Whom pip-audit can ask, in words."""


class AuditFailed(Exception):
    """pip-audit ended without a report."""


@dataclass(frozen=True, slots=True)
class Weaknesses:
    """`known` are lines, one a vulnerability; `unseen` are distributions nothing could be learnt of, and `why`."""

    known: tuple[str, ...]
    unseen: tuple[str, ...]
    why: str = ""


def ask(requirements: Path, service: str = PYPI) -> Weaknesses:
    """Ask one of SERVICES about requirements with digests. Raises AuditFailed."""
    words = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
    words += ["--format", "json", "--vulnerability-service", service, "--requirement", str(requirements)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise AuditFailed(f"{SERVICES[service]} did not answer pip-audit within {_LIMIT_SECONDS} s") from None
    try:
        return read(json.loads(done.stdout), SERVICES[service])
    except (ValueError, KeyError) as error:
        last = next(reversed(done.stderr.strip().splitlines()), "it said nothing")
        raise AuditFailed(
            f"{SERVICES[service]} could not be asked: pip-audit ended with {done.returncode}: {last}"
        ) from error


def read(report: Mapping[str, Any], asked: str) -> Weaknesses:
    """A report of pip-audit in JSON. `asked`: whom, in words."""
    known = [
        f"{one['name']} {one['version']}: {found['id']}, mended in "
        f"{', '.join(found['fix_versions']) or 'no version yet'}"
        for one in report["dependencies"]
        for found in one.get("vulns", ())
    ]
    unseen = [one["name"] for one in report["dependencies"] if "skip_reason" in one]
    return Weaknesses(tuple(known), tuple(unseen), f"{asked} does not know them" if unseen else "")
