"""pytest plugin: which requests our ServiceAccounts sent to the planes of a run, by the file of the tests.

`pytest -p tests.rights.recording --requests-into FILE`: a JSON object, a file's name each, of lists of requests.
"""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.plane import Plane, components
from e2e.run.install import SYSTEM_NAMESPACE
from tests.rights.requests import Request, requests

POLICY = Path(__file__).with_name("audit-policy.yaml")


class Recording:
    """Reads the audit logs of all planes that run, as far as they have got, after each test."""

    def __init__(self) -> None:
        self._read: dict[Path, int] = {}
        self.requests: dict[str, set[Request]] = defaultdict(set)
        self.file = ""

    def began(self, plane: Plane) -> None:
        """Its log is read from now on."""
        self._read[plane.audit_log] = 0

    def look(self) -> None:
        """Take what was written since, for the tests that ran meanwhile."""
        for log in self._read:
            for line in self._further(log):
                self.requests[self.file].update(requests(json.loads(line), SYSTEM_NAMESPACE))

    def _further(self, log: Path) -> Iterator[str]:
        """Whole lines only: the last may still be being written."""
        if not log.exists():
            return
        with log.open("rb") as file:
            file.seek(self._read[log])
            for line in file:
                if line.endswith(b"\n"):
                    self._read[log] += len(line)
                    yield line.decode()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where to."""
    parser.addoption("--requests-into", type=Path, required=True, help="the file of the requests")


class Plugin:
    """Puts the recording into every plane of the run."""

    def __init__(self, target: Path, patch: pytest.MonkeyPatch) -> None:
        self._target = target
        self._recording = Recording()
        start, stop, recording = Plane.start, Plane.stop, self._recording

        def recorded_start(plane: Plane) -> None:
            start(plane)
            recording.began(plane)

        def recorded_stop(plane: Plane) -> None:
            recording.look()
            stop(plane)

        patch.setattr(components, "AUDIT_POLICY", POLICY)
        patch.setattr(Plane, "start", recorded_start)
        patch.setattr(Plane, "stop", recorded_stop)

    def pytest_runtest_logstart(self, location: tuple[str, int | None, str]) -> None:
        """What comes is of this file."""
        self._recording.file = location[0]

    def pytest_runtest_logfinish(self) -> None:
        """What came is of this file."""
        self._recording.look()

    def pytest_sessionfinish(self) -> None:
        """Write all down."""
        written = {
            file: [dataclasses.astuple(one) for one in sorted(found)]
            for file, found in sorted(self._recording.requests.items())
        }
        self._target.write_text(json.dumps(written, indent=1), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Begin."""
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    config.pluginmanager.register(Plugin(config.getoption("requests_into"), patch))
