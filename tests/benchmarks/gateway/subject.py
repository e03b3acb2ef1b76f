"""The processes of a run: gateways on one core, the mock engine and the load generator on the other."""

import json
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from e2e.plane.supervisor import end_with_parent
from tests.benchmarks.controller.contender import affinity, usage
from tests.benchmarks.gateway.mock_engine import MODEL

_START_SECONDS: Final = 90.0
_POLL_SECONDS: Final = 0.05
_STOP_SECONDS: Final = 2.0
_ANSWER_SECONDS: Final = 5.0
_ANSWER_POLL_SECONDS: Final = 0.2
HOST: Final = "127.0.0.1"


class SubjectError(RuntimeError):
    """A process did not start, or answered wrongly; the text has the end of its log."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A gateway: how it is started, the port it will listen on, and what a client needs to be let in.

    `models` of the clients' requests are asked for in turn, `key` is sent with each ("" for none).
    """

    name: str
    argv: Sequence[str]
    port: int
    environ: Mapping[str, str] = field(default_factory=dict)
    models: int = 1
    key: str = ""
    tls: bool = False

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"{'https' if self.tls else 'http'}://{HOST}:{self.port}"


class Running:
    """A started subject. Get one from `started`; it stands still but for `awake`."""

    def __init__(self, subject: Subject, process: subprocess.Popen[bytes], log: Path) -> None:
        self.subject = subject
        self._process = process
        self._log = log

    def await_port(self) -> None:
        """Return once it takes connections. Raises SubjectError."""
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise SubjectError(f"{self.subject.name} ended with {self._process.returncode}\n{self.tail()}")
            try:
                socket.create_connection((HOST, self.subject.port), timeout=1).close()
            except OSError:
                time.sleep(_POLL_SECONDS)
            else:
                return
        raise SubjectError(f"{self.subject.name} does not listen after {_START_SECONDS:.0f} s\n{self.tail()}")

    def await_answer(self) -> None:
        """Return once it answers a client's request: some listen before they know their engine. Raises SubjectError."""
        told = b""
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            try:
                told = self._ask()
            except OSError as error:
                told = str(error).encode()
            if told.startswith(b"HTTP/1.1 200"):
                return
            time.sleep(_ANSWER_POLL_SECONDS)
        raise SubjectError(f"{self.subject.name} answers {told[:400]!r} after {_START_SECONDS:.0f} s\n{self.tail()}")

    def tell(self, number: int) -> None:
        """Send it and its children a signal."""
        self._signal(number)

    def _ask(self) -> bytes:
        """What it answers first to one request."""
        body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Ready?"}]}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        if self.subject.key:
            head += f"Authorization: Bearer {self.subject.key}\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        with socket.create_connection((HOST, self.subject.port), timeout=_ANSWER_SECONDS) as connection:
            if self.subject.tls:
                context = ssl.create_default_context()
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                connection = context.wrap_socket(connection)
            connection.sendall(head.encode() + body)
            return connection.recv(1 << 16)

    def cpu_seconds(self) -> float:
        """Processor time so far, of it and of its children, as the scheduler counts it: to the nanosecond, where the
        usual accounts are in hundredths of a second.
        """
        return sum(_scheduled_ns(pid) for pid in self._pids()) / 1e9

    def resident_bytes(self) -> int:
        """Memory now, of it and of its children."""
        return sum(usage(pid).resident_bytes for pid in self._pids())

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Let it run for the block: the others stand still meanwhile, for all share one core."""
        self._signal(signal.SIGCONT)
        try:
            yield
        finally:
            self._signal(signal.SIGSTOP)

    def tail(self) -> str:
        """The last lines of what it wrote."""
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])

    def end(self) -> None:
        """End it and its children."""
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait(_STOP_SECONDS)

    def _signal(self, number: int) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def _pids(self) -> Sequence[int]:
        """It, and all of its session: each subject has one of its own."""
        processes = [each for each in Path("/proc").iterdir() if each.name.isdecimal()]
        return [int(each.name) for each in processes if _session(each) == self._process.pid]


def _scheduled_ns(pid: int) -> int:
    """What all threads of a process have run; of threads that have ended nothing, for pools of workers end none."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text(encoding="ascii").split()[0]) for thread in threads)


def _session(process: Path) -> int | None:
    try:
        return int((process / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[3])
    except (FileNotFoundError, ProcessLookupError):
        return None


@contextmanager
def started(subject: Subject, cpu: int, folder: Path) -> Iterator[Running]:
    """A subject on processor `cpu`, which takes connections; ended with the block."""
    log = folder / f"{subject.name}.log"
    with log.open("wb") as output, affinity(frozenset({cpu})):
        process = subprocess.Popen(
            subject.argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **subject.environ},
            preexec_fn=end_with_parent(),
            start_new_session=True,
        )
    running = Running(subject, process, log)
    try:
        running.await_port()
        yield running
    finally:
        running.end()
