"""`python -m e2e.audit`: what `make audit` runs."""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import metadata
from pathlib import Path

from packaging.requirements import Requirement

from e2e.audit.database import look_up
from e2e.audit.licences import FIELDS, refused, stated
from e2e.audit.shipped import export, shipped
from e2e.audit.vulnerabilities import PYPI, SERVICES, AuditFailed, Weaknesses, ask

SOURCE = Path(__file__).parents[2]
CLEAN, FOUND, UNSEEN = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0; 1 when something is found; 2 when something could not be looked at, and nothing is found."""
    parser = argparse.ArgumentParser(prog="python -m e2e.audit", description=__doc__)
    parser.add_argument("--service", choices=sorted(SERVICES), default=PYPI, help="whom to ask for vulnerabilities")
    parser.add_argument("--database", type=Path, help="a folder of advisories to look into, in place of a service")
    options = parser.parse_args(arguments)
    try:
        exported = export(Path(os.environ.get("UV", "uv")), SOURCE)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"error: the lock cannot be read: {error.stderr}\n")
        return UNSEEN
    except (OSError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"error: {error}\n")
        return UNSEEN
    distributions = shipped(exported)
    # needs nobody's answer, so it is told whatever comes of the rest
    unlicensed = licences(distributions)
    try:
        if options.database is not None:
            weaknesses = look_up(options.database, distributions, datetime.now(UTC))
        else:
            weaknesses = _asked(exported, options.service)
    except (AuditFailed, OSError) as error:
        weaknesses = Weaknesses((), tuple(one.name for one in distributions), str(error))
    return tell(len(distributions), unlicensed, weaknesses)


def _asked(exported: str, service: str) -> Weaknesses:
    with tempfile.TemporaryDirectory(prefix="aim-audit-") as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(exported, encoding="utf-8")
        return ask(requirements, service)


def licences(distributions: list[Requirement]) -> list[str]:
    """A line for each distribution whose licence does not let us ship it."""
    judged = ((one.name, refused(stated(one.name, _fields(one.name)))) for one in distributions)
    rule = "not among the licences that e2e/audit/licences.py allows"
    return [f"{name}: {', '.join(names)}: {rule}" for name, names in judged if names]


def _fields(name: str) -> dict[str, list[str]]:
    said = metadata(name)
    return {field: [str(value) for value in said.get_all(field) or ()] for field in FIELDS}


def tell(count: int, unlicensed: list[str], weaknesses: Weaknesses) -> int:
    """Write what was found and return the exit code."""
    for line in (*unlicensed, *weaknesses.known):
        sys.stdout.write(f"{line}\n")
    looked_up = count - len(weaknesses.unseen)
    sys.stdout.write(
        f"licences: {count} distributions shipped, {len(unlicensed)} with one that is not allowed\n"
        f"vulnerabilities: {len(weaknesses.known)} known of the {looked_up} that were looked up\n"
    )
    if weaknesses.unseen:
        sys.stdout.write(
            f"NOT LOOKED UP: {len(weaknesses.unseen)} distributions, first {weaknesses.unseen[0]}: {weaknesses.why}.\n"
            "Run this where pypi.org can be reached, or with SERVICE=osv, or with DATABASE=FOLDER, a copy of "
            "https://github.com/pypa/advisory-database\n"
        )
    if unlicensed or weaknesses.known:
        return FOUND
    return UNSEEN if weaknesses.unseen else CLEAN


if __name__ == "__main__":
    sys.exit(main())
