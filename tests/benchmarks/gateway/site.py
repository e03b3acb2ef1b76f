"""All processes of the benchmark, started once: the mock engine, ours in its shapes, and the peers.

Gateways have the first processor for themselves, one at a time: each stands still until it is measured. The mock engine
and wrk share the last one.
"""

import json
import os
import shutil
import signal
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from controller.runtime.certs.authority import issue_leaf, make_authority
from e2e.plane.ports import Reservation
from e2e.plane.progress import Progress
from tests.benchmarks.gateway import mock_engine, peers
from tests.benchmarks.gateway.load import Counted, Load, loaded
from tests.benchmarks.gateway.ours import KEY, MEMBERS
from tests.benchmarks.gateway.rows import DIRECT, OURS
from tests.benchmarks.gateway.settings import HAPROXY, Settings
from tests.benchmarks.gateway.subject import HOST, Running, Subject, SubjectError, started

OURS_TLS: Final = "ours-tls"
OURS_OFF: Final = "ours-qos-off"
OURS_FULL: Final = "ours-overload"
OURS_LARGE: Final = "ours-large"
OURS_SHARDED: Final = "ours-sharded"
HAPROXY_TLS: Final = "haproxy-tls"

ROOT: Final = Path(__file__).parents[3]
SEATS: Final = 64
"""On each partition: more than the clients of a run ask for at once, so nothing waits but where that is measured."""
OVERLOAD: Final = 1.2
_STATISTICS_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.02
_LIFETIME: Final = timedelta(days=1)
_PORTS: Final = 32


@dataclass(frozen=True, slots=True)
class Run:
    """One run: what wrk counted, and what the subject used of its processor meanwhile, in microseconds a request."""

    counted: Counted
    cpu_us: float


class Site:
    """What runs. Get one from `opened`. `left_out`: a sentence for each peer that did not start."""

    def __init__(
        self, running: Mapping[str, Running], direct: Subject, folder: Path, left_out: Sequence[str] = ()
    ) -> None:
        self.left_out = left_out
        self._running = running
        self._direct = direct
        self._folder = folder
        self._cpus = sorted(os.sched_getaffinity(0))
        self._answers: Counter[str] = Counter()
        self._cut_off: Counter[str] = Counter()

    def names(self, wanted: Sequence[str]) -> list[str]:
        """Those of the subjects that run."""
        return [name for name in wanted if name in self._running]

    def run(self, name: str, load: Load) -> Run:
        """Put a load on one subject; on `DIRECT`: on the engine itself. Raises SubjectError."""
        if name == DIRECT:
            return Run(loaded(self._direct, load, self._cpus[-1]), 0.0)
        running = self._running[name]
        with running.awake():
            before = running.cpu_seconds()
            counted = loaded(running.subject, load, self._cpus[-1])
            used = running.cpu_seconds() - before
        self._answers[name] += counted.requests
        self._cut_off[name] += load.connections
        return Run(counted, 1e6 * used / counted.requests)

    def resident_mb(self, name: str) -> float:
        """Memory of a subject now."""
        return self._running[name].resident_bytes() / 1e6

    def answers(self, name: str) -> tuple[int, int]:
        """Answers that clients of a subject have counted, and requests that the ends of runs may have cut off."""
        return self._answers[name] + 1, self._cut_off[name]  # one was asked when it was started

    def statistics(self, name: str) -> Mapping[str, int]:
        """What our dispatcher counted in one of our shapes since its start. Raises SubjectError."""
        path = _told(self._folder, name)
        path.unlink(missing_ok=True)
        running = self._running[name]
        with running.awake():
            running.tell(signal.SIGUSR1)
            end = time.monotonic() + _STATISTICS_SECONDS
            while not path.exists():
                if time.monotonic() > end:
                    raise SubjectError(f"{name} wrote no statistics within {_STATISTICS_SECONDS:g} s\n{running.tail()}")
                time.sleep(_POLL_SECONDS)
        found: Mapping[str, int] = json.loads(path.read_text(encoding="utf-8"))
        return found


def is_ours(name: str) -> bool:
    """Whether a subject is one of our shapes, or the engine: without those nothing is compared."""
    return name.startswith(OURS) or name == DIRECT


@contextmanager
def opened(settings: Settings, folder: Path, progress: Progress) -> Iterator[Site]:
    """Everything started that `settings` need; ended with the block. Raises PlaneError, or SubjectError for one of ours.

    A peer that does not start is left out.
    """
    cpus = sorted(os.sched_getaffinity(0))
    folder.mkdir(parents=True, exist_ok=True)
    with Reservation(_PORTS) as reservation, ExitStack() as stack:
        ports = iter(reservation.ports)
        engine = Subject(DIRECT, (sys.executable, mock_engine.__file__, str(port := next(ports))), port)
        stack.enter_context(started(engine, cpus[-1], folder))
        running: dict[str, Running] = {}
        left_out: list[str] = []
        for subject in _subjects(settings, port, ports, folder, progress):
            progress.show(f"starting {subject.name}")
            try:
                found = stack.enter_context(started(subject, cpus[0], folder))
                found.await_answer()
            except SubjectError as error:
                if is_ours(subject.name):
                    raise
                left_out.append(f"left out, for it did not start: {error}")
                continue
            found.tell(signal.SIGSTOP)
            running[subject.name] = found
        yield Site(running, engine, folder, left_out)


def _subjects(
    settings: Settings, engine: int, ports: Iterator[int], folder: Path, progress: Progress
) -> Iterator[Subject]:
    certificate = _certificate(folder) if "tls" in settings.parts else None
    make = partial(_ours, engine=engine, folder=folder)
    yield make(OURS, next(ports), settings.models)
    if "throughput" in settings.parts:
        yield make(OURS_OFF, next(ports), settings.models, more=("--plain",))
    if certificate:
        yield make(OURS_TLS, next(ports), settings.models, more=(f"--certificate={certificate}",))
    if "overload" in settings.parts:
        yield make(OURS_FULL, next(ports), settings.models, seats=_seats_of_overload(settings))
    if "sharded" in settings.parts:
        yield make(OURS_SHARDED, next(ports), settings.models, more=("--sharded",))
    if "large" in settings.parts:
        yield make(OURS_LARGE, next(ports), settings.services)
    for name in settings.peers:
        yield peers.peer(name, engine, (next(ports), next(ports)), folder, progress)
    if certificate and HAPROXY in settings.peers:
        yield peers.haproxy(HAPROXY_TLS, engine, next(ports), folder, certificate)


def _ours(
    name: str, port: int, models: int, *, engine: int, folder: Path, seats: int = SEATS, more: Sequence[str] = ()
) -> Subject:
    """One of our shapes."""
    words = {"port": port, "engine": engine, "models": models, "seats": seats, "statistics": _told(folder, name)}
    argv = [
        interpreter(),
        "-m",
        "tests.benchmarks.gateway.ours",
        *(f"--{key}={value}" for key, value in words.items()),
    ]
    tls = any(word.startswith("--certificate") for word in more)
    environ = {"PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}"}
    return Subject(name, (*argv, *more), port, environ, models=models, key="" if "--plain" in more else KEY, tls=tls)


def interpreter() -> str:
    """What ours runs on: Debian's Python, which our image has, where this machine has it in this environment's version.

    Debian builds it with profiles and link-time optimization, other builds often without: a tenth of a request's time.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return shutil.which(f"python{version}", path="/usr/bin") or sys.executable


def _seats_of_overload(settings: Settings) -> int:
    """Seats a partition, so that the clients ask for `OVERLOAD` times as much at once as there is on all together."""
    return max(MEMBERS, round(settings.connections / OVERLOAD / -(-settings.models // MEMBERS)))


def _told(folder: Path, name: str) -> Path:
    """Where one of ours writes what it counted."""
    return folder / f"{name}.statistics.json"


def _certificate(folder: Path) -> Path:
    """A file of certificate and key for the loopback address."""
    now = datetime.now(UTC)
    leaf = issue_leaf(make_authority("gateway benchmark", now, 2 * _LIFETIME), [HOST], now, _LIFETIME)
    path = folder / "tls.pem"
    path.touch(mode=0o600)
    path.write_bytes(leaf.certificate_pem + leaf.private_key_pem)
    return path
