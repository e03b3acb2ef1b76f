"""Two services on one partition that are asked all the time: one is promised a minimum, the other has a maximum and the
better class. What became of each request is `asked`.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from e2e.plane import Plane
from e2e.plane.ports import LOOPBACK
from e2e.run.gateway import tokens
from e2e.run.traffic.caller import Caller
from tests.chaos.history import Asked
from tests.chaos.people import NAMESPACE
from tests.integration.operator.running import service


@dataclass(frozen=True, slots=True)
class Role:
    """How a service is asked, and what it is promised. `maximum` None: as many as there are seats."""

    qos: str
    callers: int
    minimum: int = 0
    maximum: int | None = None


ROLES: Final[Mapping[str, Role]] = {
    "steady": Role("standard", callers=2, minimum=2),
    "greedy": Role("realtime", callers=5, maximum=3),
}
_GROUP: Final = "pair"
_TOKENS: Final = 8
_PAUSE_SECONDS: Final = 0.2


def services() -> list[dict[str, Any]]:
    """The two InferenceServices."""
    found = []
    for name, role in ROLES.items():
        guarantees: dict[str, int] = {"minConcurrency": role.minimum} if role.minimum else {}
        if role.maximum is not None:
            guarantees["maxConcurrency"] = role.maximum
        obj = service(
            name,
            gpuSharing={"isolation": "cooperative", "shareGroup": _GROUP},
            qos={"class": role.qos, "guarantees": guarantees},
        )
        obj["spec"]["model"]["maxConcurrency"] = 4
        found.append(obj)
    return found


@dataclass
class Asking:
    """`port`: of the gateway, or of what is before it. Ends when `going` is False and the last answer has come."""

    plane: Plane
    port: int
    asked: list[Asked] = field(default_factory=list)
    going: bool = True

    async def run(self) -> None:
        """Ask until told to end."""
        keys = await asyncio.to_thread(tokens, self.plane, {NAMESPACE})
        async with aiohttp.ClientSession(f"http://{LOOPBACK}:{self.port}") as session, asyncio.TaskGroup() as tasks:
            caller = Caller(session, keys)
            for name, role in ROLES.items():
                for _ in range(role.callers):
                    tasks.create_task(self._ask(caller, name, role))

    async def _ask(self, caller: Caller, name: str, role: Role) -> None:
        now = asyncio.get_running_loop().time
        while self.going:
            sent = await caller.send(f"{NAMESPACE}/{name}", "hello", _TOKENS)
            ended = sent.reason or "200"
            asked = Asked(f"{NAMESPACE}/{name}", role.qos, sent.request, sent.at, now() - sent.at, ended)
            self.asked.append(asked)
            await asyncio.sleep(0.02 if sent.answered else _PAUSE_SECONDS)
