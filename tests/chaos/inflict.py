"""Injects the faults of a schedule at their times, and undoes each."""

import asyncio
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from typing import Final

import msgspec

from controller.agent.simulated_faults import STRIKES, Call, ScriptedFault
from controller.agent.simulated_faults import Fault as HardwareFault
from tests.chaos.history import Injected
from tests.chaos.schedule import ALL_OPERATORS, OPERATORS, Fault, Kind
from tests.chaos.site import NODES, Site

_NO_FAULTS: Final = b"{}"
_STRIKES_TIMES: Final = 2
_LOOK_SECONDS: Final = 0.5


class Inflicting:
    """`injected`: what has been undone again; `current`: what lasts just now."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.injected: list[Injected] = []
        self.current: set[str] = set()

    async def run(self, faults: Iterable[Fault], begun: float) -> None:
        """All of them; `begun` is the loop's time at the run's beginning. Returns when the last is undone."""
        now = asyncio.get_running_loop().time
        async with asyncio.TaskGroup() as tasks:
            for fault in faults:
                await asyncio.sleep(max(0.0, begun + fault.at - now()))
                tasks.create_task(self._inflict(fault), name=str(fault))

    async def _inflict(self, fault: Fault) -> None:
        begun, act = time.time(), self._acts[fault.kind]
        self.current.add(str(fault))
        await act(self, fault)
        self.current.discard(str(fault))
        self.injected.append(Injected(fault.kind, fault.touches, begun, time.time()))

    async def _kill(self, fault: Fault) -> None:
        async with self._site.turns[fault.target]:
            await self._site.kill(fault.target)
            await asyncio.sleep(fault.seconds)
            await self._site.start(fault.target)

    async def _stop(self, fault: Fault) -> None:
        while True:
            async with self._site.turns[fault.target]:
                with suppress(ProcessLookupError):  # it has ended on its own, and is started again in a turn of its own
                    await asyncio.to_thread(self._site.stop, fault.target)
                    await asyncio.sleep(fault.seconds)
                    await asyncio.to_thread(self._site.resume, fault.target)
                    return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _clock(self, fault: Fault) -> None:
        self._site.shift_clock(fault.target, fault.size)
        await asyncio.sleep(fault.seconds)
        self._site.shift_clock(fault.target, 0.0)

    async def _expire(self, fault: Fault) -> None:
        assert fault.target == ALL_OPERATORS
        async with AsyncExitStack() as turns:
            for name in OPERATORS:
                await turns.enter_async_context(self._site.turns[name])
                await self._site.kill(name)
            await asyncio.sleep(fault.seconds)
            for name in OPERATORS:
                await self._site.start(name)

    async def _connections(self, fault: Fault) -> None:
        proxy = self._site.proxies[fault.target]
        if fault.kind is Kind.DROP:
            proxy.drop()
        elif fault.kind is Kind.STALL:
            proxy.stall()
        else:
            proxy.slow(fault.size)
        await asyncio.sleep(fault.seconds)
        proxy.mend()

    async def _hardware(self, fault: Fault) -> None:
        async with self._site.turns[fault.target]:
            await self._begin_anew(fault.target, msgspec.json.encode({"faults": [scripted(fault)]}))
            await asyncio.sleep(fault.seconds)
            await self._begin_anew(fault.target, _NO_FAULTS)

    async def _begin_anew(self, agent: str, script: bytes) -> None:
        await self._site.kill(agent)
        self._site.faults_file(agent).write_bytes(script)
        await self._site.start(agent)

    _acts: Final = {
        Kind.KILL: _kill,
        Kind.STOP: _stop,
        Kind.CLOCK: _clock,
        Kind.EXPIRE: _expire,
        Kind.DROP: _connections,
        Kind.STALL: _connections,
        Kind.SLOW: _connections,
        Kind.HARDWARE: _hardware,
    }


def scripted(fault: Fault) -> ScriptedFault:
    """What the agent's simulated hardware is told: on one of its nodes, the next calls, or for so long."""
    what = HardwareFault(fault.detail)
    nodes = tuple(NODES[fault.target])
    node = nodes[int(fault.at) % len(nodes)]
    if what in STRIKES:
        return ScriptedFault(what, times=_STRIKES_TIMES, node=node)
    return ScriptedFault(what, Call.READ, seconds=fault.seconds, node=node)
