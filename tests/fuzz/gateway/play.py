"""Plays a script against a gateway, and judges it after every step."""

import asyncio
from collections import Counter
from collections.abc import Callable

import structlog

from tests.fuzz.gateway.judge import Judge
from tests.fuzz.gateway.phrases import ANSWERS, REQUESTS
from tests.fuzz.gateway.script import Ended, Script
from tests.fuzz.gateway.site import AT_ONCE, DRAIN_SECONDS, HANGS, LATE, REFUSES, Site, site, told
from tests.fuzz.gateway.wire import PIECE, Wire, WireLoop

LONGEST = 60
"""Steps of one script."""
_WAITS = (0.01, 0.3, 1.1, 2.3, 4.2, 8.0, 25.0)

Step = Callable[[Site, Script], float | None]


def _open(wires: list[Wire]) -> list[Wire]:
    return [wire for wire in wires if not wire.lost]


def connects(at: Site, _script: Script) -> None:
    """A client connects, unless nobody accepts any more."""
    if at.draining is None:
        at.clients.append(at.loop.client())


def asks(at: Site, script: Script) -> None:
    """A client sends a request, or two pieces of one, or what is left of none."""
    there = _open(at.clients)
    if not there:
        connects(at, script)
        there = _open(at.clients)
    if not there:
        return
    wire = script.one_of(there)
    phrase = script.damaged(script.one_of(REQUESTS))
    if script.chance(4):
        cut = script.number(256) * len(phrase) // 256
        _arrive(wire, phrase[:cut])
        if script.chance(2):
            return
        phrase = phrase[cut:]
    _arrive(wire, phrase)


def answers(at: Site, script: Script) -> None:
    """An engine sends something."""
    there = _open(at.engines)
    if there:
        phrase = script.damaged(script.one_of(ANSWERS))
        wire = script.one_of(there if script.chance(6) else [one for one in there if at.is_asked(one)] or there)
        at.heard[wire] = len(wire.written)
        if script.chance(6):
            cut = script.number(256) * len(phrase) // 256
            _arrive(wire, phrase[:cut])
            if script.chance(2):
                return
            phrase = phrase[cut:]
        _arrive(wire, phrase)


def _arrive(wire: Wire, data: bytes) -> None:
    """In pieces that a loop would read at once."""
    for at in range(0, len(data), PIECE):
        wire.arrive(data[at : at + PIECE])


def leaves(at: Site, script: Script) -> None:
    """A client or an engine ends its connection, or resets it."""
    there = _open(script.one_of((at.clients, at.engines)))
    if there:
        wire = script.one_of(there)
        (wire.end if script.chance(2) else wire.reset)()


def goes_deaf(at: Site, script: Script) -> None:
    """A client reads no more, or reads again."""
    there = _open(at.clients)
    if there:
        wire = script.one_of(there)
        at.deaf ^= {wire}


def waits(_at: Site, script: Script) -> float:
    """Time passes."""
    return script.one_of(_WAITS)


def reloads(at: Site, script: Script) -> None:
    """Another configuration."""
    at.gateway.reload(told(script.number(256)))


def reaches(at: Site, script: Script) -> None:
    """How engines are reached from now on."""
    at.connects = script.one_of((AT_ONCE, AT_ONCE, LATE, REFUSES, HANGS))


def drains(at: Site, script: Script) -> None:
    """The gateway comes to its end, in order: now and then, for nothing much happens after it."""
    if at.draining is None and script.chance(8):
        at.draining = asyncio.get_running_loop().create_task(at.gateway.drain(DRAIN_SECONDS))


STEPS: tuple[Step, ...] = (
    *(asks,) * 5,
    *(answers,) * 8,
    *(leaves, goes_deaf, waits) * 2,
    *(connects, reloads, reaches, drains),
)


def play(data: bytes) -> Counter[str]:
    """Plays one script from its beginning to the end of everything; how often each thing happened. Raises Violated."""
    with asyncio.Runner(loop_factory=WireLoop) as runner, structlog.testing.capture_logs():
        return runner.run(_play(Script(data)))


async def _play(script: Script) -> Counter[str]:
    happened: Counter[str] = Counter()
    async with site() as at:
        judge = Judge(at)
        try:
            for _ in range(LONGEST):
                step = script.one_of(STEPS)
                passes = step(at, script)
                happened[step.__name__] += 1
                if passes:
                    await asyncio.sleep(passes)
                await at.settle()
                judge.after_step()
        except Ended:
            pass
        await at.quiet()
        judge.after_all()
        happened.update({f"{status} {reason}".strip(): count for (status, reason), count in at.outcomes.items()})
    return happened
