"""Known vulnerabilities out of a folder on this machine, for where no service can be asked.

The folder is a copy of PyPA's advisory database (YAML in `vulns/NAME/`) or of OSV's files for PyPI (JSON, one an
advisory). It says only what was known when it was copied: one that is too old is no answer.
"""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from e2e.audit.advisories import told
from e2e.audit.vulnerabilities import AuditFailed, Weaknesses

OLDEST_DAYS = 14
_MODIFIED = re.compile(r'^\s*"?modified"?: *[\'"]?(\d{4}-\d\d-\d\d)', re.MULTILINE)


def look_up(folder: Path, distributions: Sequence[Requirement], today: datetime) -> Weaknesses:
    """What the folder knows of exact versions. Raises AuditFailed for a folder that is no such database, OSError."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in {".yaml", ".json"})
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    days = [match[1] for text in texts.values() if (match := _MODIFIED.search(text))]
    if not days:
        raise AuditFailed(f"{folder} has no advisories: give a copy of pypa/advisory-database, or of OSV's for PyPI")
    newest = datetime.fromisoformat(max(days)).replace(tzinfo=UTC)
    names = {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in distributions}
    advisories = [advisory for path, text in texts.items() for advisory in _read(path, text, names)]
    found = (told(advisory, name, version) for advisory in advisories for name, version in names.items())
    known = tuple(sorted(line for line in found if line is not None))
    age = (today - newest).days
    if age > OLDEST_DAYS:
        why = f"the database in {folder} ends {age} days ago ({max(days)}), {OLDEST_DAYS} at most: copy it anew"
        return Weaknesses(known, tuple(names), why)
    return Weaknesses(known, ())


def _read(path: Path, text: str, names: dict[Any, str]) -> Iterator[dict[str, Any]]:
    """The advisory of a file, unless its text has none of the names: reading all would take minutes."""
    if not any(re.search(rf"\b{_spelt(name)}\b", text, re.IGNORECASE) for name in names):
        return
    try:
        document = json.loads(text) if path.suffix == ".json" else yaml.load(text, Loader=yaml.CSafeLoader)
    except (ValueError, yaml.YAMLError) as error:
        raise AuditFailed(f"{path} cannot be read: {error}") from error
    if isinstance(document, dict) and "affected" in document:
        yield document


def _spelt(name: str) -> str:
    return "[-_.]+".join(map(re.escape, name.split("-")))
