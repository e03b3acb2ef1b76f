"""The map over HTTP: the page's files, the state, its changes as server-sent events, and what-if questions.

    GET /                the page and its files, for anybody: they hold no data
    GET /api/state       all of the state, once
    GET /api/events      the state, then every change
    GET /api/choices     models and namespaces that a question can name
    GET /api/what-if     what would become of a model

Everything is GET and changes nothing. Data takes a bearer token, see `controller.ui.gate`.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import nullcontext
from typing import Any, Final, Protocol, TypeAlias

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from controller.runtime.client.errors import ApiError
from controller.runtime.clock import Clock
from controller.runtime.listener import Listener, Shutdown
from controller.ui.apart import Apart
from controller.ui.assets import HEADERS, assets
from controller.ui.feed import Feed, Message, Subscription, TooManyClients
from controller.ui.gate import Admitted, Gate, NotLetIn, bearer, check_host
from controller.ui.limits import Limits, TooMuch
from controller.ui.viewer import Viewer
from controller.ui.what_if import DEFAULT_NAMESPACE, BadQuestion, Question

#: An event stream says something at least so often, so that both ends learn of a connection that is dead.
ALIVE_SECONDS: Final = 15.0
#: A client that takes nothing for so long is hung up on; its browser comes again.
WRITE_SECONDS: Final = 30.0
#: Who follows a stream is asked about again so often: rights end, and tokens.
LOOK_SECONDS: Final = 2.0
#: Questions that may wait for the one that is being answered.
MOST_QUESTIONS: Final = 8
#: What a question comes to, by the status of its answer.
_RESULTS: Final = {200: "answered", 400: "refused", 403: "refused", 429: "limited"}
_FAILED: Final = "failed"
_JSON: Final = "application/json"
_LOCAL: Final = ("127.0.0.1", "localhost", "[::1]")

Also: TypeAlias = Callable[[web.Request], Collection[str]]
"""Namespaces that a request is about, whether or not they have rows."""


class Answers(Protocol):
    """Answers what-if questions."""

    def namespaces(self) -> Collection[str]:
        """Every namespace there is."""
        ...

    def choices(self, viewer: Viewer) -> dict[str, Any]:
        """Models and namespaces that a question can name."""
        ...

    async def what_if(self, question: Question, viewer: Viewer) -> bytes:
        """What would become of it, as JSON. Raises BadQuestion, Apart and the client's errors."""
        ...


class MapServer:
    """Serves the map. `port` 0: a free one, to be read from `.port` once started.

    `names`: Hosts that are answered; None: all, which is for TLS, where a browser itself refuses a name that is not the
    certificate's. `limits` None: one person is served, who may ask as they like.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        feed: Feed,
        gate: Gate,
        answers: Answers,
        clock: Clock,
        names: Sequence[str] | None = _LOCAL,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._feed, self._gate, self._answers, self._clock, self._limits = feed, gate, answers, clock, limits
        self._names = tuple(name.lower() for name in names) if names is not None else None
        self._assets = assets()
        # streams never end by themselves, so nothing is waited for
        self._listener = Listener(host, port, tls=tls, shutdown=Shutdown(finish=0.1), clock=clock)
        self._asked = 0
        self._questions = dict.fromkeys((*_RESULTS.values(), _FAILED), 0)
        self._one_at_a_time = asyncio.Lock()

    def __str__(self) -> str:
        return f"map server on port {self.port}"

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._listener.port

    @property
    def listening(self) -> bool:
        """Whether it takes connections now."""
        return self._listener.listening

    def questions(self) -> dict[str, int]:
        """Questions what if so far, by what they came to: answered, refused, limited, failed."""
        return dict(self._questions)

    async def wait_started(self, timeout: float) -> None:
        """Wait until it listens, at most `timeout` seconds; raises TimeoutError."""
        await self._listener.wait_started(timeout)

    async def run(self) -> None:
        """Serve until cancelled. Raises OSError when the address is taken."""
        app = web.Application(middlewares=[self._guarded])
        app.router.add_get("/api/state", self._data(self._state))
        app.router.add_get("/api/events", self._data(self._events))
        app.router.add_get("/api/choices", self._data(self._choices, lambda _: self._answers.namespaces()))
        app.router.add_get("/api/what-if", self._data(self._what_if, _asked_of))
        app.router.add_get("/{path:.*}", self._asset)
        app.on_response_prepare.append(_with_headers)
        await self._listener.run(app)

    @property
    def _guarded(self) -> Any:
        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                if self._names is not None:
                    check_host(request.headers.get(hdrs.HOST, ""), self._names, self.port)
                return await handler(request)
            except NotLetIn as refused:
                return _sentence(refused.status, str(refused), refused.headers)
            except TooMuch as error:
                return _sentence(429, str(error), {"Retry-After": str(error.retry)})

        return guarded

    def _data(
        self,
        answer: Callable[[web.Request, Admitted], Awaitable[web.StreamResponse]],
        also: Also = lambda _: (),
    ) -> Handler:
        async def asked(request: web.Request) -> web.StreamResponse:
            admitted = await self._admit(request, also(request))
            if self._limits is not None:
                self._limits.request(admitted.who)
            return await answer(request, admitted)

        return asked

    async def _admit(self, request: web.Request, also: Collection[str] = ()) -> Admitted:
        return await self._gate.admit(bearer(request.headers.get(hdrs.AUTHORIZATION, "")), also)

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        asset = self._assets.get(request.match_info["path"])
        if asset is None:
            return _sentence(404, "there is no such page; the map is at /")
        headers = {"ETag": asset.tag, "Cache-Control": "no-cache"}
        if request.headers.get(hdrs.IF_NONE_MATCH) == asset.tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=asset.content, content_type=asset.content_type, charset="utf-8", headers=headers)

    async def _state(self, _request: web.Request, admitted: Admitted) -> web.StreamResponse:
        return _json(self._feed.state(admitted.viewer).data)

    async def _choices(self, _request: web.Request, admitted: Admitted) -> web.StreamResponse:
        return _json(orjson.dumps(self._answers.choices(admitted.viewer)))

    async def _what_if(self, request: web.Request, admitted: Admitted) -> web.StreamResponse:
        try:
            answer = await self._answer(request, admitted)
        except NotLetIn as refused:
            self._came_to(refused.status)
            raise
        except TooMuch:
            self._came_to(429)
            raise
        self._came_to(answer.status)
        return answer

    def _came_to(self, status: int) -> None:
        self._questions[_RESULTS.get(status, _FAILED)] += 1

    async def _answer(self, request: web.Request, admitted: Admitted) -> web.StreamResponse:
        if not admitted.viewer.nodes:
            raise NotLetIn(403, "a plan names nodes, and you may not list them; ask for the right to list gpunodes")
        if self._asked >= MOST_QUESTIONS:
            return _sentence(429, "too many questions wait for an answer; ask again in a moment", {"Retry-After": "1"})
        self._asked += 1
        try:
            question = Question.of(request.query)
            with self._limits.question(admitted.who) if self._limits is not None else nullcontext():
                async with self._one_at_a_time:
                    return _json(await self._answers.what_if(question, admitted.viewer))
        except BadQuestion as error:
            return _sentence(400, str(error))
        except Apart as error:
            return _sentence(503, str(error))
        except ApiError as error:
            return _sentence(502, f"the API server did not answer: {error.message}")
        finally:
            self._asked -= 1

    async def _events(self, request: web.Request, admitted: Admitted) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        try:
            with self._limits.stream(admitted.who) if self._limits is not None else nullcontext():
                while True:
                    with self._feed.subscribed(admitted.viewer) as subscription:
                        if not response.prepared:
                            await response.prepare(request)
                        admitted = await self._tell(request, response, admitted, subscription)
        except TooManyClients as error:
            return response if response.prepared else _sentence(503, str(error), {"Retry-After": "10"})
        except NotLetIn:
            if not response.prepared:
                raise
            return response  # the page comes again, and is told why
        except ConnectionError:  # the page was closed
            return response
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
            return response

    async def _tell(
        self, request: web.Request, response: web.StreamResponse, admitted: Admitted, subscription: Subscription
    ) -> Admitted:
        """Tell until who listens sees something else, or less; then who they are now. Raises NotLetIn."""
        now = self._clock.monotonic
        looked = spoke = now()
        while True:
            message = await self._next(subscription.next)
            if now() - looked >= LOOK_SECONDS:
                found, looked = await self._admit(request), now()
                if found != admitted:
                    return found
            if message is None and now() - spoke < ALIVE_SECONDS:
                continue
            async with asyncio.timeout(WRITE_SECONDS):
                await response.write(_event(message))
            spoke = now()

    async def _next(self, wait: Callable[[], Awaitable[Message]]) -> Message | None:
        """The next message; None when there was none for a while."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await wait()
        except TimeoutError:
            return None


def _asked_of(request: web.Request) -> Collection[str]:
    return (request.query.get("namespace") or DEFAULT_NAMESPACE,)


def _event(message: Message | None) -> bytes:
    if message is None:
        return b": alive\n\n"
    return b"event: %s\nid: %d\ndata: %s\n\n" % (message.event.encode(), message.version, message.data)


def _json(data: bytes) -> web.Response:
    response = web.Response(body=data, content_type=_JSON, headers={"Cache-Control": "no-store"})
    response.enable_compression()
    return response


def _sentence(status: int, sentence: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=f"{sentence}\n", headers={"Cache-Control": "no-store", **(headers or {})})


async def _with_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
