"""One replica as a process of its own: `python -m tests.integration.gateway.replicas.program OPTIONS` (JSON).

SIGTERM ends it in order. SIGUSR1 makes it stop itself (SIGSTOP) at the worst moment: right after it has looked whether
it may send the next request to an engine, and before the request is sent.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import cast

import uvloop

from controller.gateway.configuration import Endpoint, GatewayConfiguration
from controller.gateway.fenced import FencedPool
from controller.gateway.gateway import Gateway
from controller.gateway.shards.coordinator import Replica
from controller.gateway.shards.peer_tls import PeerTls
from controller.gateway.shards.replica import GatewayReplica, PeerAddress
from controller.gateway.shards.residents import Residents
from controller.gateway.shards.timing import ShardTiming
from controller.gateway.upstream import UpstreamConnection
from controller.qos.settings import ModelSettings
from controller.runtime.certs.authority import read_certificate
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.clock import RealClock
from controller.runtime.election.fence import Fence
from controller.runtime.election.lease import LeaseTiming
from controller.runtime.signals import stopping_on_signals
from controller.telemetry.logs import configure_logs
from tests.builders.gateway_configuration import Keys, configuration, route


@dataclass(frozen=True)
class Service:
    """A service of namespace team-a: its engines, each [uid, port, partition, seats], and what it may have at most."""

    name: str
    engines: list[tuple[str, int, str, int]]
    maximum: int | None


@dataclass(frozen=True)
class Options:
    """`server`: of the API. `folder` has tls.crt, tls.key and ca.crt of replicas. `lease`: duration, deadline, retry.

    `defect`: one of `DEFECTS`, which is put in on purpose; "": none.
    """

    server: str
    identity: str
    folder: str
    services: list[Service]
    lease: tuple[int, float, float]
    ports: str
    defect: str = ""

    @classmethod
    def read(cls, text: str) -> "Options":
        found = json.loads(text)
        return cls(**{**found, "services": [Service(**one) for one in found["services"]]})

    def text(self) -> str:
        return json.dumps(asdict(self))

    def configuration(self) -> GatewayConfiguration:
        return configuration(
            *(
                route(
                    *(Endpoint(uid, "127.0.0.1", port, part, seats) for uid, port, part, seats in one.engines),
                    name=one.name,
                    settings=ModelSettings(f"team-a/{one.name}", "standard", maximum=one.maximum),
                )
                for one in self.services
            )
        )

    def timing(self) -> ShardTiming:
        return ShardTiming(lease=LeaseTiming(*self.lease), look=0.2, engine_lag=0.5, ask=0.1, quiet_after=2.0)


class StopsItself:
    """A clock that, once it is armed and somebody looks at it, stops the process right after the look."""

    armed = False

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic

    def __call__(self) -> float:
        now = self._monotonic()
        if StopsItself.armed:
            StopsItself.armed = False
            os.kill(os.getpid(), signal.SIGSTOP)
        return now


def fence_with_stops(look: Callable[[str], Fence], partition: str) -> Fence:
    fence = look(partition)
    if not isinstance(fence.monotonic, StopsItself):
        fence.monotonic = StopsItself(fence.monotonic)
    return fence


def forget_residents() -> None:
    """Seats count as free although others' requests still use them."""
    Residents.taken = lambda self, endpoint, seats, now: 0  # type: ignore[method-assign]


class Unfenced(UpstreamConnection):
    """What the clock says before a request is sent decides nothing."""

    __slots__ = ()

    def write_request(self) -> None:
        cast("FencedPool", self.pool).look().monotonic()
        super().write_request()


def look_and_send_anyway() -> None:
    setattr(FencedPool, "make_connection", lambda pool: Unfenced(pool))  # noqa: B010 - a defect put in on purpose


DEFECTS = {"residents": forget_residents, "fence": look_and_send_anyway}


async def run(options: Options) -> None:
    if options.defect:
        DEFECTS[options.defect]()
    clock, tls, stop = RealClock(), PeerTls(), asyncio.Event()
    folder = Path(options.folder)
    tls.replace(
        read_certificate(*((folder / name).read_bytes() for name in ("tls.crt", "tls.key", "ca.crt"))),
        datetime.now(UTC),
    )
    async with Client(ClientConfiguration(options.server), clock=clock, user_agent=options.identity) as client:
        replica = GatewayReplica(
            client,
            Replica(options.identity, "gateway", "gateways"),
            PeerAddress("127.0.0.1", 0, "127.0.0.1"),
            tls=tls,
            engine_tls=None,
            clock=clock,
            rng=Random(options.identity),
            timing=options.timing(),
        )
        replica.ownership.fence = partial(fence_with_stops, replica.ownership.fence)  # type: ignore[method-assign]
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, setattr, StopsItself, "armed", True)
        gateway = Gateway(
            options.configuration(),
            authenticator=Keys(),
            ownership=replica.ownership,
            peer_tls=replica.peer_contexts,
        )
        with stopping_on_signals(stop):
            async with gateway, replica.taking_part(gateway):
                port = await gateway.serve("127.0.0.1", 0)
                beside = Path(options.ports).with_suffix(".new")
                beside.write_text(json.dumps({"gateway": port}))
                beside.replace(options.ports)
                await stop.wait()
                await replica.leave()
                await gateway.drain(5)


if __name__ == "__main__":
    configure_logs("info", human=False)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(Options.read(sys.argv[1])))
