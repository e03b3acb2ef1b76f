"""A real API server that is killed, and a real etcd that stops, under load: no generation is missed, nothing grows."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from e2e.plane import Plane
from e2e.plane.components import APISERVER, ETCD
from e2e.plane.errors import AdminError
from tests.integration.runtime.conftest import fill
from tests.integration.runtime.observer import COUNTERS

pytestmark = [pytest.mark.plane, pytest.mark.timeout(400)]

HERE = Path(__file__).parent
OBJECTS = 300
KILLS = 10
PAUSE_SECONDS = 15.0
SETTLE_SECONDS = 120.0
# What a process may hold more than before: the allocator's keeping, not ours.
MEBIBYTE = 1024 * 1024
MARGIN_BYTES = 4 * MEBIBYTE


@dataclass
class Load:
    """Two threads that change Counters all the time, and go on when nobody answers.

    `changes` counts what was accepted, `failures` what was not; `standstill`: the longest time without a change, seconds.
    """

    plane: Plane
    path: str
    changes: int = 0
    failures: int = 0
    standstill: float = 0.0
    _changed_at: float = field(default_factory=time.monotonic)
    _ended: threading.Event = field(default_factory=threading.Event)

    def run(self, seed: int) -> None:
        rng = Random(seed)
        while not self._ended.is_set():
            patch = {"spec": {"value": rng.randrange(1_000_000_000)}}
            try:
                self.plane.admin.patch(f"{self.path}/c-{rng.randrange(OBJECTS)}", patch)
            except (OSError, http.client.HTTPException, AdminError):
                self.failures += 1
                self._ended.wait(0.05)
            else:
                now = time.monotonic()
                self.changes += 1
                self.standstill = max(self.standstill, now - self._changed_at)
                self._changed_at = now

    def accepted(self, more: int) -> None:
        """Wait until that many more changes were accepted."""
        wanted = self.changes + more
        self.plane.wait_until(lambda: self.changes >= wanted, f"{more} more changes are accepted")

    @contextmanager
    def going_on(self) -> Iterator["Load"]:
        self._changed_at = time.monotonic()
        threads = [threading.Thread(target=self.run, args=(seed,)) for seed in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()


class Observer:
    """The controller's process, seen from outside."""

    def __init__(self, plane: Plane, namespace: str, folder: Path) -> None:
        self._log, self._figures = folder / "observer.log", folder / "figures.json"
        program = [sys.executable, "-m", "tests.integration.runtime.observer"]
        command = [*program, str(plane.kubeconfig), namespace, str(self._figures)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=HERE.parents[2])
        self._seen = psutil.Process(self._process.pid)

    def resident(self) -> int:
        """Bytes of memory."""
        return int(self._seen.memory_info().rss)

    def descriptors(self) -> int:
        return int(self._seen.num_fds())

    def end(self) -> dict[str, Any]:
        """Its figures, after SIGTERM."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(timeout=60) == 0, self._log.read_text()[-2000:]
        figures: dict[str, Any] = json.loads(self._figures.read_text())
        return figures

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@dataclass
class Scene:
    plane: Plane
    path: str
    load: Load
    observer: Observer

    def behind(self) -> list[str]:
        """The Counters whose last generation was not reconciled; all must be there."""
        items = self.plane.admin.get(self.path)["items"]
        assert len(items) == OBJECTS
        return [item["metadata"]["name"] for item in items if not _observed(item)]

    def settle(self) -> None:
        """Wait until every object was reconciled at its last generation."""
        self.plane.wait_until(lambda: not self.behind(), "all are reconciled", SETTLE_SECONDS)

    def trouble(self, cause: Callable[[], None]) -> Mapping[str, Any]:
        """Load, then `cause` under load, then quiet; asserts that nothing is missed and nothing has grown."""
        self.settle()
        with self.load.going_on():
            self.load.accepted(OBJECTS)
            resident, descriptors = self.observer.resident(), self.observer.descriptors()
            cause()
            self.load.accepted(OBJECTS)
        self.settle()
        time.sleep(1.0)
        grown = self.observer.resident() - resident
        print(f"{self.load.changes} changes, {resident} bytes resident, {grown:+} after")
        assert grown <= MARGIN_BYTES
        assert self.observer.descriptors() <= descriptors + 2
        return self.observer.end()


def _observed(item: Mapping[str, Any]) -> bool:
    return bool(item.get("status", {}).get("observedGeneration") == item["metadata"]["generation"])


@pytest.fixture
def scene(own_plane: Plane, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    namespace = request.node.name.replace("_", "-")[:40]
    own_plane.admin.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    path = f"/apis/test.aim.amd.com/v1/namespaces/{namespace}/counters"
    names = ({"namespace": namespace, "name": f"c-{number}"} for number in range(OBJECTS))
    fill(own_plane, COUNTERS, ({"metadata": metadata, "spec": {"value": 0}} for metadata in names))
    observer = Observer(own_plane, namespace, tmp_path)
    try:
        yield Scene(own_plane, path, Load(own_plane, path), observer)
    finally:
        observer.kill()


def test_api_server_killed_ten_times_under_load(scene: Scene) -> None:
    def kills() -> None:
        for _ in range(KILLS):
            scene.plane.kill(APISERVER)
            scene.plane.start_component(APISERVER)
            scene.load.accepted(50)

    figures = scene.trouble(kills)
    print(figures, scene.load.standstill, scene.load.failures)
    assert scene.load.failures >= KILLS, "it was away"
    reflection = figures["informer"]["reflection"]
    assert reflection["failures"] > 0
    assert reflection["streams"] + reflection["lists"] <= 1 + KILLS, "no more than one relist a kill"
    assert figures["controller"]["panics"] == 0


def test_etcd_paused_for_15_s_under_load(scene: Scene) -> None:
    etcd = scene.plane.children()[ETCD].pid

    def pause() -> None:
        os.kill(etcd, signal.SIGSTOP)
        try:
            time.sleep(PAUSE_SECONDS)
        finally:
            os.kill(etcd, signal.SIGCONT)
        scene.plane.wait_until(scene.plane.admin.ready, "the API server is ready again")

    figures = scene.trouble(pause)
    print(figures, scene.load.standstill)
    assert scene.load.standstill >= PAUSE_SECONDS - 1
    reflection = figures["informer"]["reflection"]
    assert reflection["streams"] + reflection["lists"] <= 2
    assert figures["controller"]["panics"] == 0
