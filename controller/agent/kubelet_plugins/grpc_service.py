"""gRPC methods out of plain coroutines: request in, reply out, errors as statuses."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from google.protobuf.message import Message
from grpclib.const import Cardinality, Handler
from grpclib.server import Stream

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply", bound=Message)


def unary(
    answer: Callable[[Request], Awaitable[Reply]], request_type: type[Request], reply_type: type[Reply]
) -> Handler:
    """A method of one request and one reply. `answer` may raise GRPCError; it is cancelled when the caller goes."""

    async def handle(stream: Stream[Any, Any]) -> None:
        request = await stream.recv_message()
        if request is not None:  # None: the caller hung up before it asked
            await stream.send_message(await answer(request))

    return Handler(handle, Cardinality.UNARY_UNARY, request_type, reply_type)


def streaming(
    serve: Callable[[Callable[[Reply], Awaitable[None]]], Awaitable[None]],
    request_type: type[Request],
    reply_type: type[Reply],
) -> Handler:
    """A method of one request and many replies: `serve` gets what sends one, and runs until the caller goes."""

    async def handle(stream: Stream[Any, Any]) -> None:
        if await stream.recv_message() is not None:
            await serve(stream.send_message)

    return Handler(handle, Cardinality.UNARY_STREAM, request_type, reply_type)


class Service:
    """Methods by name, under one service's name, as grpclib wants them."""

    def __init__(self, name: str, methods: Mapping[str, Handler]) -> None:
        self._handlers = {f"/{name}/{method}": handler for method, handler in methods.items()}

    def __mapping__(self) -> dict[str, Handler]:
        return self._handlers
