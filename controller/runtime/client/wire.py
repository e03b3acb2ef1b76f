"""What a sender asks of its transport: HTTP's is `transport.Transport`, tests have one without sockets."""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Protocol

from controller.runtime.client.transport import Answer, Check, HttpRequest


class Wire(Protocol):
    """Carries requests to an API server. Entered before, and left after, everything else."""

    async def __aenter__(self) -> object: ...

    async def __aexit__(self, *_: object) -> None: ...

    def identify(self, fields: Sequence[tuple[str, str]]) -> None:
        """Send these headers with every request from now on, instead of those given before."""
        ...

    async def send(self, request: HttpRequest, check: Check | None = None) -> Answer:
        """A 2xx answer; raises ApiError's tree. `check` is called right before the request goes out."""
        ...

    def stream(self, request: HttpRequest, begun: Callable[[int], None]) -> AsyncGenerator[bytes, None]:
        """Pieces of a 2xx answer as they come; `begun` is called with its status. Raises as `send` does."""
        ...
