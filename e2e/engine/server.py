"""The HTTP end of an engine, on the loopback address: OpenAI's routes, and vLLM's others."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO, Any, Final

from aiohttp import web

from controller.runtime.clock import Clock, RealClock
from e2e.engine import openai
from e2e.engine.engine import Answer, Engine, Neighbours
from e2e.engine.openai import BadRequest, Task
from e2e.engine.record import Record
from e2e.engine.settings import EngineSettings
from e2e.plane.ports import LOOPBACK

SIMULATED: Final = {"X-Simulated": "aim-gpu-sharing"}
MOST_BODY_BYTES: Final = 64 * 2**20
_TASKS: Final = {
    "/v1/chat/completions": Task.CHAT,
    "/v1/completions": Task.COMPLETION,
    "/v1/embeddings": Task.EMBEDDING,
    "/v1/rerank": Task.RERANK,
    "/rerank": Task.RERANK,
}
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Served:
    """An engine that listens on the loopback address."""

    engine: Engine
    port: int


@asynccontextmanager
async def serving(
    settings: EngineSettings,
    *,
    port: int = 0,
    record: IO[str] | None = None,
    neighbours: Neighbours | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Served]:
    """An engine while the block lasts. `port` 0: any. `record` takes its record, `neighbours` are its partition's.

    Raises OSError when it cannot listen.
    """
    clock = clock or RealClock()
    own = Record(settings, clock.monotonic, record)
    engine = Engine(settings, own, neighbours or Neighbours(), clock)
    runner = web.AppRunner(
        Handler(engine, clock).application(), handler_cancellation=True, access_log=None, shutdown_timeout=0.0
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, LOOPBACK, port, backlog=1024)
        await site.start()
        async with _at_work(engine):
            yield Served(engine, runner.addresses[0][1])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _at_work(engine: Engine) -> AsyncIterator[None]:
    try:
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(engine.run(), name=f"engine {engine.settings.engine}")
            try:
                yield
            finally:
                working.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:  # the block's own error, which the group has wrapped
            raise group.exceptions[0] from None
        raise


class Handler:
    """Turns requests into the engine's work, and its tokens into answers."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._numbers = itertools.count(1)

    def application(self) -> web.Application:
        """The routes."""
        application = web.Application(client_max_size=MOST_BODY_BYTES)
        application.on_response_prepare.append(_say_simulated)
        for path, task in _TASKS.items():
            application.router.add_post(path, self._answering(task))
        application.router.add_get("/health", _healthy)
        application.router.add_get("/version", _version)
        application.router.add_get("/v1/models", self._models)
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/simulated/memory", self._memory)
        return application

    def _answering(self, task: Task) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                asked = openai.read(task, await request.read(), self._engine.settings.default_output_tokens)
                number = next(self._numbers)
                name = request.headers.get("X-Request-Id", f"simulated-{number}")
                async with self._engine.serve(asked, f"{name}/{number}") as answer:
                    return await (self._stream(request, answer, name) if asked.stream else self._whole(answer, name))
            except BadRequest as problem:
                return web.Response(status=problem.status, body=openai.error(problem), content_type=_JSON)

        return handle

    async def _whole(self, answer: Answer, name: str) -> web.StreamResponse:
        last = False
        while not last:
            _, _, last = await answer.more()
        self._engine.complete(answer)
        return web.Response(body=openai.answer(answer.asked, name, self._created()), content_type=_JSON)

    async def _stream(self, request: web.Request, answer: Answer, name: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Cache-Control": "no-cache"})
        response.content_type = "text/event-stream"
        await response.prepare(request)
        created = self._created()
        last = False
        while not last:
            first, count, last = await answer.more()
            if last:
                self._engine.complete(answer)
            events = openai.chunks(answer.asked, name, created, first, count, last=last)
            await response.write(b"".join(events))
        await response.write_eof()
        return response

    async def _models(self, _: web.Request) -> web.Response:
        settings = self._engine.settings
        fixed = {"object": "model", "created": self._created(), "owned_by": "simulated", "root": settings.model}
        data = [{"id": name, "max_model_len": settings.max_model_len, **fixed} for name in settings.answers_to]
        return web.json_response({"object": "list", "data": data})

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._engine.metrics.text(), content_type="text/plain", charset="utf-8")

    async def _memory(self, _: web.Request) -> web.Response:
        return web.json_response(self._told_of_memory())

    def _told_of_memory(self) -> dict[str, Any]:
        memory, most = self._engine.settings.memory, self._engine.most_tokens
        return {
            "simulated": True,
            "fixed_bytes": memory.fixed,
            "pool_bytes": memory.pool,
            "most_tokens": most,
            "peak_bytes": memory.used(most),
        }

    def _created(self) -> int:
        return int(self._clock.now().timestamp())


async def _say_simulated(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SIMULATED)


async def _healthy(_: web.Request) -> web.Response:
    return web.Response()


async def _version(_: web.Request) -> web.Response:
    return web.json_response({"version": "0.0.0+simulated", "simulated": True})
