"""Clients that ask any replica, one request after another, and what became of each."""

import asyncio
import json
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

import aiohttp

from tests.builders.gateway_configuration import KEY

PATIENCE_SECONDS = 10.0


class Entry(Protocol):
    """A replica as clients know it. `hurt`: something was done to it, at that time last (monotonic)."""

    name: str
    port: int
    hurt: float


@dataclass
class Outcome:
    """One request: when it was begun and how it ended: a status, "cut" for a connection that ended, "silent"."""

    at: float
    seconds: float
    entry: str
    ended: str
    entry_hurt: bool
    stream: bool


@dataclass
class Load:
    """`outcomes` of all requests; `going` False ends it."""

    entries: list[Entry]
    models: list[str]
    outcomes: list[Outcome] = field(default_factory=list)
    going: bool = True

    async def run(self, clients: int) -> None:
        timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as tasks:
            for number in range(clients):
                tasks.create_task(self._client(session, Random(number)))

    async def _client(self, session: aiohttp.ClientSession, rng: Random) -> None:
        now = asyncio.get_running_loop().time
        while self.going:
            if not self.entries:
                await asyncio.sleep(0.05)
                continue
            entry, stream, began = rng.choice(self.entries), rng.random() < 0.5, now()
            ended = await self._ask(session, entry.port, rng.choice(self.models), rng.choice([1, 3, 20]), stream)
            hurt = entry.hurt >= began
            self.outcomes.append(Outcome(began, now() - began, entry.name, ended, hurt, stream))
            if ended != "200":
                await asyncio.sleep(0.1)

    async def _ask(self, session: aiohttp.ClientSession, port: int, model: str, tokens: int, stream: bool) -> str:
        messages = [{"role": "user", "content": "x"}]
        body = {"model": model, "messages": messages, "max_tokens": tokens, "ignore_eos": True, "stream": stream}
        headers = {"authorization": f"Bearer {KEY.decode()}", "content-type": "application/json"}
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        try:
            async with session.post(url, data=json.dumps(body), headers=headers) as answer:
                whole = await answer.read()
                if answer.status != 200:
                    return f"{answer.status} {json.loads(whole)['error']['code']}"
                return "200" if not stream or whole.endswith(b"data: [DONE]\n\n") else "cut"
        except TimeoutError:
            return "silent"
        except aiohttp.ClientError:
            return "cut"
