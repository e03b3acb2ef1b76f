"""/debug/tasks and /debug/queue over plain HTTP on this machine only: what is it doing, and what will it do next?

    $ curl localhost:6060/debug/tasks                every asyncio task: its name, and where it stands
    $ curl localhost:6060/debug/queue?limit=20       each controller's figures and the first 20 items of its queue

There is no authentication, and names of objects are told, so that no address but a loopback one is accepted.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from controller.runtime.controller import Controller
from controller.runtime.listener import Listener
from controller.runtime.task_dump import dump_tasks

_USUAL_ITEMS = 100
_MOST_ITEMS = 100_000


class DebugServer:
    """Serves the tasks of the loop and the queues of `controllers`.

    `host`: a loopback address or "localhost"; ValueError for any other. `port` 0: a free one, to be read from `.port`
    once started.
    """

    def __init__(self, controllers: Sequence[Controller], port: int, *, host: str = "127.0.0.1") -> None:
        if not _is_loopback(host):
            raise ValueError(f"host {host!r} of the debug server: it has no authentication; use 127.0.0.1 or ::1")
        self.host = host
        self._controllers = controllers
        self._listener = Listener(host, port)

    def __str__(self) -> str:
        return f"debug server on {self.host}:{self.port}"

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._listener.port

    async def run(self) -> None:
        """Serve until cancelled. Raises OSError when the address is taken."""
        app = web.Application(middlewares=[_refuse_other_hosts])
        app.router.add_get("/debug/tasks", self._tasks)
        app.router.add_get("/debug/queue", self._queue)
        await self._listener.run(app)

    async def wait_started(self, timeout: float) -> None:
        """Wait until it listens, at most `timeout` seconds; raises TimeoutError."""
        await self._listener.wait_started(timeout)

    async def _tasks(self, _request: web.Request) -> web.Response:
        return web.Response(text=dump_tasks())

    async def _queue(self, request: web.Request) -> web.Response:
        text = request.query.get("limit", str(_USUAL_ITEMS))
        # the length first: int refuses thousands of digits
        if not text.isdecimal() or len(text) > len(str(_MOST_ITEMS)) or int(text) > _MOST_ITEMS:
            raise web.HTTPBadRequest(text=f"limit {text[:20]!r}: give a number of items, at most {_MOST_ITEMS}\n")
        body = {controller.name: _describe(controller, int(text)) for controller in self._controllers}
        options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
        return web.Response(body=orjson.dumps(body, option=options), content_type="application/json")


def _describe(controller: Controller, limit: int) -> dict[str, Any]:
    items = [{**asdict(queued), "item": str(queued.item)} for queued in controller.queued(limit)]
    return {"statistics": asdict(controller.statistics()), "items": items}


@web.middleware
async def _refuse_other_hosts(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer only who asked for this machine by name.

    A page in a browser here can make any name of its own point to 127.0.0.1; the Host header then has that name.
    """
    host = request.url.host or ""
    if not _is_loopback(host):
        raise web.HTTPForbidden(text=f"host {host!r}: ask for 127.0.0.1 or localhost\n")
    return await handler(request)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
