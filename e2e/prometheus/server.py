"""Runs one Prometheus as a child process, with a storage of its own in a folder of its own."""

import http.client
import json
import os
import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from e2e.plane.errors import ComponentDied, NotReady
from e2e.plane.plane import tail
from e2e.plane.ports import LOOPBACK, Reservation
from e2e.plane.processes import Processes
from e2e.prometheus.api import Api
from e2e.prometheus.configuration import Target, configuration, target_groups
from e2e.prometheus.errors import RulesRefused
from e2e.prometheus.programs import Programs

READY_SECONDS = 30.0

_NAME = "prometheus"
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.05


class Prometheus:
    """A server; a context manager. It ends with its caller, however that ends.

    `folder` takes configuration, storage and log. `token`: the bearer token that targets are shown. `rule_files` are
    loaded when it starts; one that is wrong keeps it from starting.
    """

    def __init__(self, programs: Programs, folder: Path, *, token: str = "", rule_files: Sequence[Path] = ()) -> None:
        self._programs = programs
        self._folder = folder
        self._token = token
        self._rule_files = tuple(rule_files)
        self._log = folder / f"{_NAME}.log"
        self._targets_file = folder / "targets.json"
        self._token_file = folder / "token"
        self._reservation: Reservation | None = None
        self._processes: Processes | None = None
        self.api = Api(0)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, targets: Iterable[Target]) -> None:
        """Read these targets from now on, and no others. It takes effect within some six seconds.

        A process that starts again on its port needs no call.
        """
        beside = self._targets_file.with_suffix(".new")
        beside.write_text(json.dumps(target_groups(targets)), encoding="utf-8")
        beside.replace(self._targets_file)

    def show(self, token: str) -> None:
        """Show targets this token from now on."""
        self._token_file.touch(mode=0o600)
        self._token_file.write_text(token, encoding="ascii")

    def load(self, rule_files: Sequence[Path]) -> None:
        """Evaluate these files of rules from now on. Raises RulesRefused with what is wrong with one of them."""
        self._rule_files = tuple(rule_files)
        self._configure()
        status, content = self.api.request("POST", "/-/reload")
        if status != http.client.OK:
            said = content.decode(errors="replace").strip()
            raise RulesRefused(f"{said}; the last lines of its log:\n{tail(self._log)}")

    def check(self) -> None:
        """Raise ComponentDied, with the last lines of its log, if it ended on its own."""
        child = self._processes.children().get(_NAME) if self._processes is not None else None
        if child is not None and child.code is not None:
            raise ComponentDied(f"{_NAME} ended with {child.code}; the last lines of its log:\n{tail(self._log)}")

    def close(self) -> None:
        """End it. Does nothing the second time."""
        if self._processes is not None:
            child = self._processes.children().get(_NAME)
            if child is not None and child.code is None:
                self._processes.end(_NAME, signal.SIGTERM, _STOP_SECONDS)
            self._processes.stop()
            self._processes = None
        if self._reservation is not None:
            self._reservation.close()
            self._reservation = None

    def _start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._reservation = Reservation(1)
        (port,) = self._reservation.ports
        self.api = Api(port)
        self.show(self._token)
        self.read(())
        config = self._configure()
        command = [
            str(self._programs.prometheus),
            f"--config.file={config}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address={LOOPBACK}:{port}",
            "--web.enable-lifecycle",
            "--storage.tsdb.retention.time=1d",
            "--log.level=warn",
        ]
        environ = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self._folder), "GOMAXPROCS": "1"}
        self._processes = Processes(self._folder / f"{_NAME}.supervisor.log")
        self._processes.start(_NAME, command, environ, self._log)
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self._ready():
            self.check()
            if time.monotonic() > deadline:
                raise NotReady(f"{_NAME} is not ready within {READY_SECONDS:.0f} s; its log:\n{tail(self._log)}")
            time.sleep(_POLL_SECONDS)

    def _ready(self) -> bool:
        try:
            return self.api.request("GET", "/-/ready")[0] == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def _configure(self) -> Path:
        path = self._folder / "prometheus.yaml"
        content = configuration(self._targets_file, self._token_file, self._rule_files)
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path
