"""Sends one chat through the gateway, streamed, and measures it."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import aiohttp
import msgspec

from e2e.run.errors import RunError
from e2e.run.traffic.sent import Sent

REASON_HEADER = "X-Aim-Reason"
LIMIT_SECONDS = 60.0
REACH_SECONDS = 20.0

_POLL_SECONDS = 0.25

_DONE = b"[DONE]"


class _Error(msgspec.Struct):
    code: str = ""


class _Event(msgspec.Struct):
    """The fields of an event that tell a token from anything else."""

    choices: list[msgspec.Raw] = []
    error: _Error | None = None


class NotServed(RunError):
    """A service that runs is not answered for by the gateway within the limit; the text says what it said."""


class Caller:
    """A client of the gateway. `keys`: the API key by namespace, so that each service is asked by its own team."""

    def __init__(self, session: aiohttp.ClientSession, keys: Mapping[str, str]) -> None:
        self._session = session
        self._keys = keys
        self._numbers = itertools.count(1)

    async def reach(self, service: str) -> None:
        """Wait for the first answer of a service that has just begun to run. Raises NotServed."""
        said = ""
        try:
            async with asyncio.timeout(REACH_SECONDS):
                while not (probe := await self.send(service, "hello", 1)).answered:
                    said = probe.reason
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise NotServed(
                f"{service} runs, and after {REACH_SECONDS:.0f} s the gateway still says {said or 'nothing'}"
            ) from None

    async def send(self, service: str, prompt: str, tokens: int) -> Sent:
        """Ask a service for so many tokens, and wait for the end. Never raises for what becomes of the request."""
        body = {
            "model": service,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": tokens,
            "stream": True,
        }
        request = f"run-{next(self._numbers)}"
        headers = {"Authorization": f"Bearer {self._keys.get(service.partition('/')[0], '')}", "X-Request-Id": request}
        at = time.monotonic()
        try:
            async with self._session.post(
                "/v1/chat/completions",
                json=body,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=LIMIT_SECONDS),
            ) as answer:
                if answer.status != 200:
                    await answer.read()
                    return Sent(
                        service, at, request, reason=answer.headers.get(REASON_HEADER, f"Status{answer.status}")
                    )
                return await _received(Sent(service, at, request), answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            return Sent(service, at, request, reason=type(error).__name__)


async def _received(sent: Sent, answer: aiohttp.ClientResponse) -> Sent:
    """Read a stream to its end. One that ends without [DONE] was cut off, whatever the connection says."""
    first: float | None = None
    tokens = 0
    async for event in _events(answer.content):
        if event == _DONE:
            return replace(sent, first=first, whole=time.monotonic() - sent.at, tokens=tokens)
        told = msgspec.json.decode(event, type=_Event)
        if told.error is not None:
            return replace(sent, first=first, reason=told.error.code or "Error", tokens=tokens)
        if told.choices:
            tokens += 1
            first = first or time.monotonic() - sent.at
    return replace(sent, first=first, reason="CutOff", tokens=tokens)


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    async for line in content:
        if line.startswith(b"data: "):
            yield line[6:].strip()
