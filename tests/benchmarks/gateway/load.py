"""One run of wrk, and what it counted."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tests.benchmarks.controller.contender import affinity
from tests.benchmarks.gateway.subject import Subject, SubjectError

SCRIPT: Final = Path(__file__).with_name("load.lua")
_SLACK_SECONDS: Final = 30
_LEVELS: Final = ("connect", "read", "write", "status", "timeout")

Kind = Literal["json", "stream"]


@dataclass(frozen=True, slots=True)
class Load:
    """What clients do: `connections` ask as fast as they are answered, or `rate` requests a second in all (0: no limit).

    They ask for each of `models` in turn; None: for each that the subject has.
    """

    kind: Kind
    connections: int
    seconds: int
    rate: float = 0.0
    seed: int = 0
    models: int | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """What came of it. `requests` were answered with success; `failed` are other answers, and connections that broke."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failed: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def loaded(subject: Subject, load: Load, cpu: int) -> Counted:
    """Put the load on the subject, from processor `cpu`. Raises SubjectError when wrk could not, or nothing was answered."""
    argv = ["wrk", "-t1", f"-c{load.connections}", f"-d{load.seconds}s", "-s", str(SCRIPT), subject.url, "--"]
    words = [load.kind, load.models or subject.models, subject.key, load.rate, load.connections, load.seed]
    with affinity(frozenset({cpu})):
        done = subprocess.run(
            [*argv, *map(str, words)],
            capture_output=True,
            text=True,
            timeout=load.seconds + _SLACK_SECONDS,
            check=False,
        )
    if done.returncode != 0 or not done.stdout.strip():
        raise SubjectError(f"wrk at {subject.name}: {done.stdout.strip()[-400:]} {done.stderr.strip()[-400:]}")
    told = json.loads(done.stdout.strip().splitlines()[-1])
    served = told["requests"] - told["status"]
    if not served:
        raise SubjectError(f"{subject.name} answered nothing: {told}")
    failed = sum(told[level] for level in _LEVELS)
    return Counted(served, told["seconds"], told["p50_ms"], told["p99_ms"], failed)
