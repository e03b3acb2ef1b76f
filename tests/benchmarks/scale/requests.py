"""Requests that the API server has answered: all by its own count, the operator's by its audit log. Parsing is pure."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.runtime.metrics_text import samples
from e2e.plane import Plane
from tests.benchmarks.binding.writes import written

POLICY: Final = Path(__file__).with_name("audit-policy.yaml")
AUDIT: Final = (f"--audit-policy-file={POLICY}", "--audit-log-maxsize=4096")
"""For kube-apiserver. Beyond 100 MB it would begin another file unless told otherwise."""

_TOTAL: Final = "apiserver_request_total"
_READS: Final = frozenset({"get", "list", "watch"})
_LIMIT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `start` to `end` of an audit log."""

    start: int
    end: int


def answered(page: str) -> Counter[str]:
    """How often which request was answered, as `VERB resource/subresource`; a watch counts when it ends."""
    found: Counter[str] = Counter()
    for sample in samples(page, {_TOTAL}):
        kind = "/".join(filter(None, (sample.labels["resource"], sample.labels["subresource"])))
        found[f"{sample.labels['verb']} {kind or '(none)'}"] += int(sample.value)
    return found


def all_answered(plane: Plane) -> Counter[str]:
    """The same of the plane's API server, since it began."""
    status, page = plane.admin.raw("GET", "/metrics", limit_seconds=_LIMIT_SECONDS, accept="text/plain")
    if status != 200:
        raise RuntimeError(f"/metrics of the API server answers {status}")
    return answered(page.decode())


def operators(log: Path, part: Part) -> Counter[str]:
    """What the operator asked for in that part of the audit log; refused requests say so."""
    with log.open("rb") as whole:
        whole.seek(part.start)
        lines = whole.read(part.end - part.start).decode().splitlines()
    return Counter(each.what + (" (refused)" if each.refused else "") for each in written(lines))


def writes(requests: Counter[str]) -> int:
    """How many of them change something, or would."""
    return sum(count for what, count in requests.items() if what.partition(" ")[0] not in _READS)
