"""/healthz and /readyz over plain HTTP, on a port of their own: what the kubelet asks.

/healthz says that the process and its event loop are alive; /readyz that it can do its work; each lists its checks, so
that an answer explains itself. A check that raises counts as failed, with the exception as its reason.
"""

from collections.abc import Callable, Mapping

import structlog
from aiohttp import web

from controller.runtime.clock import Clock
from controller.runtime.listener import Listener

Check = Callable[[], bool | str]
"""True: fine. False, or a sentence that says why: not fine. Must be quick; called in the event loop."""


class HealthServer:
    """Serves `checks` as /readyz (and /readyz/NAME), `live_checks` as /healthz.

    `port` 0: a free one, to be read from `.port` once started. Figures are not for everybody: see `MetricsServer`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        checks: Mapping[str, Check],
        *,
        live_checks: Mapping[str, Check] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.host = host
        self._listener = Listener(host, port, clock=clock)
        self._ready, self._live = dict(checks), dict(live_checks or {})
        self._log = structlog.get_logger(__name__)

    def __str__(self) -> str:
        return f"health server on {self.host}:{self.port}"

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._listener.port

    async def run(self) -> None:
        """Serve until cancelled. Raises OSError when the address is taken."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/readyz/{name}", self._one)
        await self._listener.run(app)

    async def wait_started(self, timeout: float) -> None:
        """Wait until it listens, at most `timeout` seconds; raises TimeoutError."""
        await self._listener.wait_started(timeout)

    async def _healthz(self, _request: web.Request) -> web.Response:
        return self._answer(self._live)

    async def _readyz(self, _request: web.Request) -> web.Response:
        return self._answer(self._ready)

    def _answer(self, checks: Mapping[str, Check]) -> web.Response:
        problems = {name: self._problem(check) for name, check in checks.items()}
        lines = [f"[-]{name} {problem}" if problem else f"[+]{name} ok" for name, problem in problems.items()]
        failed = any(problems.values())
        lines.append("not ok" if failed else "ok")
        return web.Response(text="\n".join(lines) + "\n", status=503 if failed else 200)

    async def _one(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._ready:
            raise web.HTTPNotFound(text=f"no check {name!r}; there are {sorted(self._ready)}\n")
        return self._answer({name: self._ready[name]})

    def _problem(self, check: Check) -> str | None:
        try:
            verdict = check()
        except Exception as error:  # noqa: BLE001 - a broken check must not hide the others
            self._log.exception("health check raised")
            return f"raised {type(error).__name__}: {error}"
        if verdict is True:
            return None
        return verdict or "failed"
