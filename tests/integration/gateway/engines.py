"""Engines for simulated pods: a listener a pod, and the file that tells the gateway where each listens."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

METRICS = """\
vllm:cache_config_info{gpu_memory_utilization="0.9",num_gpu_blocks="100",block_size="16"} 1.0
vllm:num_requests_running{engine="0"} 0.0
vllm:num_requests_waiting{engine="0"} 0.0
"""
"""What of an engine's page of metrics the gateway reads."""


@dataclass
class Engines:
    """One listener a pod. `asked` has the bodies by the pod that got them; `hold` is how long an answer takes, s."""

    file: Path
    asked: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    hold: float = 0.0
    _ports: dict[str, int] = field(default_factory=dict)
    _runners: list[web.AppRunner] = field(default_factory=list)

    async def serve(self, uids: Iterable[str]) -> None:
        """Listen for these pods, too, and for those that are gone no more."""
        wanted = list(uids)
        for uid in wanted:
            if uid not in self._ports:
                self._ports[uid] = await self._listen(uid)
        beside = self.file.with_suffix(".new")
        beside.write_text(json.dumps({uid: f"127.0.0.1:{self._ports[uid]}" for uid in wanted}))
        beside.replace(self.file)

    async def _listen(self, uid: str) -> int:
        self.asked[uid] = []

        async def answer(request: web.Request) -> web.Response:
            self.asked[uid].append(await request.json())
            await asyncio.sleep(self.hold)
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            return web.json_response({"id": "one", "engine": uid, "usage": usage})

        async def metrics(_: web.Request) -> web.Response:
            return web.Response(text=METRICS)

        app = web.Application()
        app.router.add_post("/v1/chat/completions", answer)
        app.router.add_get("/metrics", metrics)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return int(runner.addresses[0][1])

    async def close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()


@asynccontextmanager
async def engines(folder: Path) -> AsyncIterator[Engines]:
    made = Engines(folder / "addresses.json")
    made.file.write_text("{}")
    try:
        yield made
    finally:
        await made.close()
