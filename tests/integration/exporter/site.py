"""An exporter beside a running operator and simulated engines, and what it tells."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from e2e.plane import Plane
from e2e.run.engines import Engines, start_engines
from e2e.run.exporter import start_exporter
from e2e.run.processes import Worker
from tests.integration.operator.running import Running, running

NODES = {"gpu": "CPX/NPS4"}
KEEP_SECONDS = 2.0


@dataclass
class Site:
    """Operator, engines and exporter."""

    cluster: Running
    engines: Engines
    exporter: Worker

    async def expose(self, name: str) -> None:
        """A Kubernetes Service before the pods of a Deployment."""
        spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8000}]}
        path = f"/api/v1/namespaces/{self.cluster.namespace}/services"
        await self.cluster.create(path, {"metadata": {"name": name}, "spec": spec})

    async def addresses(self, count: int, labels: Mapping[str, str]) -> list[str]:
        """Where the engines of the pods with these labels listen, once there are so many."""

        async def check() -> list[str] | None:
            uids = [
                pod["metadata"]["uid"]
                for pod in await self.cluster.pods()
                if labels.items() <= pod["metadata"]["labels"].items()
            ]
            known: dict[str, str] = json.loads(await asyncio.to_thread(self.engines.addresses.read_text))
            found = [known[uid] for uid in uids if uid in known]
            return found if len(found) == count else None

        found: list[str] = await self.cluster.eventually(f"{count} engines listen", check)
        return found

    async def told(self, family: str, **labels: str) -> dict[tuple[tuple[str, str], ...], float]:
        """A family's samples of our namespace with these labels, by the labels that were not asked for."""
        page = await self.cluster.metrics(self.exporter)
        wanted = {"namespace": self.cluster.namespace, **labels}
        return {
            tuple(sorted((key, value) for key, value in sample.labels.items() if key not in wanted)): sample.value
            for found in text_string_to_metric_families(page)
            for sample in found.samples
            if sample.name == family and wanted.items() <= sample.labels.items()
        }

    async def total(self, family: str, **labels: str) -> float | None:
        """Those samples added up; None where there is none."""
        found = await self.told(family, **labels)
        return sum(found.values()) if found else None

    async def until(self, want: float | None, family: str, **labels: str) -> None:
        """Wait until a family's samples add up to that."""

        async def check() -> bool:
            return await self.total(family, **labels) == want

        await self.cluster.eventually(f"{family} {labels} is {want}", check)


async def ask(address: str, model: str, count: int) -> None:
    """So many requests to an engine itself, answered."""
    asked: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
    async with aiohttp.ClientSession() as client:
        for _ in range(count):
            async with client.post(f"http://{address}/v1/chat/completions", json=asked) as answer:
                assert answer.status == 200, await answer.text()


@asynccontextmanager
async def a_site(plane: Plane, folder: Path, arguments: Sequence[str] = ()) -> AsyncIterator[Site]:
    options = ("--interval-seconds", "0.5", "--keep-seconds", str(KEEP_SECONDS), *arguments)
    async with (
        running(plane, folder, NODES) as cluster,
        start_engines(plane, folder, time_scale=0.1) as engines,
        start_exporter(plane, folder, engines.addresses, options) as exporter,
    ):
        yield Site(cluster, engines, exporter)
