"""Writes that the API server has answered, by who sent them and what they were, from its audit log."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from e2e.run.processes import OPERATOR

POLICY: Final = Path(__file__).with_name("audit-policy.yaml")
"""For kube-apiserver's --audit-policy-file."""

_OURS: Final = "operator"
_SUCCESS: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Write:
    """One write. `who`: `operator`, or whatever user it was, shortened to its last part."""

    who: str
    what: str
    refused: bool


def written(lines: Iterable[str]) -> list[Write]:
    """The writes of an audit log's lines; what was only tried on (dryRun) is among them."""
    return [_write(json.loads(line)) for line in lines if line.strip()]


def counted(writes: Iterable[Write]) -> Counter[tuple[str, str]]:
    """How often who wrote what; refused ones say so."""
    return Counter((each.who, each.what + (" (refused)" if each.refused else "")) for each in writes)


def ours(counts: Mapping[tuple[str, str], int]) -> int:
    """How many of them are the operator's."""
    return sum(count for (who, _), count in counts.items() if who == _OURS)


def _write(entry: Mapping[str, Any]) -> Write:
    user = entry["user"]["username"]
    reference = entry.get("objectRef") or {}
    kind = "/".join(filter(None, (reference.get("resource", entry["requestURI"]), reference.get("subresource"))))
    code = (entry.get("responseStatus") or {}).get("code", 0)
    return Write(
        _OURS if user == OPERATOR else user.rpartition(":")[2], f"{entry['verb']} {kind}", code not in _SUCCESS
    )
