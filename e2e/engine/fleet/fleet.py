"""Starts an engine for each pod that is to have one, and ends it when the pod is gone; says where they listen."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import structlog

from controller.runtime.cache.informer import Informer
from controller.runtime.cache.store import StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.core import PODS
from controller.runtime.clock import Clock, RealClock
from controller.sizing.catalog import Catalog
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, MODEL_PROFILES
from controller.state.models import Models
from e2e.engine.engine import Neighbours
from e2e.engine.fleet.wanted import NoEngine, wanted
from e2e.engine.server import serving
from e2e.engine.settings import EngineSettings
from e2e.plane.ports import LOOPBACK

SYNC_SECONDS = 30.0
GATHER_SECONDS = 0.05
"""Changes that come together are looked at together."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Running:
    """One engine of the fleet. `port` None: it does not listen yet."""

    settings: EngineSettings
    port: int | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)


class Fleet:
    """All engines of one control plane, in this process. `addresses` takes where they listen, `record` what they do."""

    def __init__(
        self,
        client: Client,
        addresses: Path,
        record: IO[str] | None,
        *,
        time_scale: float = 1.0,
        clock: Clock | None = None,
    ) -> None:
        self._addresses = addresses
        self._record = record
        self._time_scale = time_scale
        self._clock = clock or RealClock()
        self._models = Models(Catalog.bundled())
        self._running: dict[str, _Running] = {}
        self._neighbours: dict[str, Neighbours] = {}
        self._complaints: set[str] = set()
        self._changed = asyncio.Event()
        self._pods = Informer(client, PODS)
        self._claims = Informer(client, GPU_PARTITION_CLAIMS)
        self._nodes = Informer(client, GPU_NODES)
        self._profiles = Informer(client, MODEL_PROFILES)
        self._profiles.add_handler(self._models.take)
        for informer in self._informers:
            informer.add_handler(self._notice)

    @property
    def engines(self) -> dict[str, int]:
        """The port of every engine that listens, by pod uid."""
        return {uid: engine.port for uid, engine in self._running.items() if engine.port is not None}

    async def run(self) -> None:
        """Follow the pods until cancelled. Raises CacheNotSynced, OSError."""
        async with asyncio.TaskGroup() as tasks:
            for informer in self._informers:
                tasks.create_task(informer.run(), name=str(informer))
            for informer in self._informers:
                await informer.wait_synced(SYNC_SECONDS)
            self._write()
            while True:
                self._changed.clear()
                self._follow(tasks)
                await self._changed.wait()
                await self._clock.sleep(GATHER_SECONDS)

    @property
    def _informers(self) -> tuple[Informer[dict[str, Any]], ...]:
        return self._pods, self._claims, self._nodes, self._profiles

    def _notice(self, _: StoreEvent[dict[str, Any]]) -> None:
        self._changed.set()

    def _follow(self, tasks: asyncio.TaskGroup) -> None:
        pods, claims, nodes = (informer.store.values() for informer in (self._pods, self._claims, self._nodes))
        found = list(wanted(pods, claims, nodes, self._models, self._time_scale))
        self._complain(one for one in found if isinstance(one, NoEngine))
        due = {one.engine: one for one in found if isinstance(one, EngineSettings)}
        for uid in self._running.keys() - due.keys():
            self._running[uid].stop.set()
        for uid in due.keys() - self._running.keys():
            self._running[uid] = _Running(due[uid])
            tasks.create_task(self._serve(uid, self._running[uid]), name=f"engine of pod {uid}")

    def _complain(self, problems: Iterable[NoEngine]) -> None:
        said = {str(problem) for problem in problems}
        for problem in said - self._complaints:
            log.warning("no engine", problem=problem)
        self._complaints = said

    async def _serve(self, uid: str, running: _Running) -> None:
        settings = running.settings
        neighbours = self._neighbours.setdefault(settings.partition, Neighbours())
        try:
            async with serving(settings, record=self._record, neighbours=neighbours) as served:
                running.port = served.port
                log.info("engine", pod=uid, model=settings.model, partition=settings.partition, port=served.port)
                self._write()
                await running.stop.wait()
                running.port = None
                self._write()  # nobody is to begin anything here while it ends
        finally:
            del self._running[uid]
            self._changed.set()  # the pod may be wanted again by now

    def _write(self) -> None:
        """Whole or not at all: who reads it never sees half."""
        beside = self._addresses.with_name(f"{self._addresses.name}.new")
        beside.write_text(json.dumps({uid: f"{LOOPBACK}:{port}" for uid, port in self.engines.items()}))
        beside.replace(self._addresses)
