"""Our gateway as a process: `python -m tests.benchmarks.gateway.ours WORDS`, in front of the one engine.

QoS is really on: `models` services in three classes, each with a minimum, a maximum and a rate that it does not reach,
on partitions of three members, behind a key. Each service has an engine of its own by uid; all listen on one port.
It imports what `aim-gpu gateway` does, so that its memory is of that size, but for what it would watch of a cluster.
On SIGUSR1 the process writes what the dispatcher and the tables counted to `--statistics`.
"""

import argparse
import asyncio
import hashlib
import json
import signal
import ssl
import time
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Final

import uvloop

from controller.entrypoints.run_gateway import settle_memory
from controller.gateway.configuration import Caller, Endpoint, GatewayConfiguration, ServiceRoute
from controller.gateway.forwarding import Peer
from controller.gateway.gateway import Gateway
from controller.qos.settings import ModelSettings, QoSClass, QoSSettings
from controller.runtime.election.fence import Fence

KEY: Final = "sk-of-a-benchmark-that-calls-all-models"
NAMESPACE: Final = "team-a"
CLASSES: Final = (
    QoSClass("interactive", 0, starvation_after=5.0),
    QoSClass("standard", 1, starvation_after=15.0),
    QoSClass("batch", 2, starvation_after=60.0),
)
MEMBERS: Final = 3
"""Pods on each partition."""
_RATE: Final = 1_000_000.0
_QUEUE: Final = 10_000


def configuration(models: int, seats: int, engine: int) -> GatewayConfiguration:
    """`models` services with one pod each; `seats` a partition, that is for `MEMBERS` services together."""
    return GatewayConfiguration(
        services=tuple(_service(number, seats, engine) for number in range(models)),
        classes=CLASSES,
        keys={hashlib.sha256(KEY.encode()).digest(): Caller(NAMESPACE, "benchmark", namespaces=frozenset({NAMESPACE}))},
    )


def plain(served: GatewayConfiguration) -> GatewayConfiguration:
    """The same without quality of service: no key is asked for, and all requests are alike."""
    services = tuple(
        replace(
            one,
            qos=ModelSettings(one.key, CLASSES[0].name, queue_length=_QUEUE),
            endpoints=tuple(replace(endpoint, takes_priority=False) for endpoint in one.endpoints),
        )
        for one in served.services
    )
    return GatewayConfiguration(services=services, classes=CLASSES[:1], open=True)


def _service(number: int, seats: int, engine: int) -> ServiceRoute:
    name = f"model-{number}"
    qos = ModelSettings(
        f"{NAMESPACE}/{name}",
        CLASSES[number % len(CLASSES)].name,
        minimum=max(1, seats // (2 * MEMBERS)),
        maximum=max(1, seats),
        max_rate=_RATE,
        queue_length=_QUEUE,
    )
    endpoint = Endpoint(
        uid=f"pod-{number}",
        host="127.0.0.1",
        port=engine,
        partition=f"node-{number // MEMBERS}/0000:05:00.0/0",
        seats=max(1, seats // MEMBERS),
        takes_priority=True,
    )
    return ServiceRoute(NAMESPACE, name, (name, f"mock/{name}"), qos, (endpoint,))


class Keys:
    """Who a key is of, by its digest."""

    def __init__(self, served: GatewayConfiguration) -> None:
        self._find = served.keys.get

    def find(self, token: bytes) -> Caller | None:
        """The caller, or None for a key that nobody has."""
        return self._find(hashlib.sha256(token).digest())


class Sole:
    """What a replica asks about partitions, where it is the only one and all are its own: the look-ups are the same."""

    patience = 10.0

    def __init__(self) -> None:
        self._owners: dict[str, Peer | None] = {}
        self._fence = Fence("benchmark/shard-0", "replica-0", time.monotonic)
        self._fence.extend(inf)

    def narrow(self, settings: QoSSettings) -> QoSSettings:
        """All of it."""
        self._owners = dict.fromkeys(settings.models)
        return settings

    def owner(self, route: ServiceRoute) -> Peer | None:
        """This replica."""
        return self._owners[route.key]

    def orders(self, route: ServiceRoute) -> bool:
        """All of them."""
        return route.key in self._owners

    def is_there(self, identity: str) -> bool:
        """Nobody else is."""
        return False

    def fence(self, partition: str) -> Fence:
        """Open."""
        return self._fence


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--engine", type=int, required=True)
    parser.add_argument("--models", type=int, required=True)
    parser.add_argument("--seats", type=int, required=True)
    parser.add_argument("--plain", action="store_true", help="no key, one class, no minimum, maximum or rate")
    parser.add_argument("--sharded", action="store_true", help="as one of several replicas, which has all partitions")
    parser.add_argument("--certificate", type=Path, help="file of certificate and key: clients speak TLS")
    parser.add_argument("--statistics", type=Path, required=True)
    uvloop.run(_serve(parser.parse_args()))


async def _serve(options: argparse.Namespace) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    served = configuration(options.models, options.seats, options.engine)
    served = plain(served) if options.plain else served
    gateway = Gateway(served, authenticator=Keys(served), ownership=Sole() if options.sharded else None)
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_signal_handler(signal.SIGUSR1, _write_statistics, gateway, options.statistics)
    async with gateway:
        await gateway.serve("127.0.0.1", options.port, ssl=_tls(options.certificate))
        settle_memory()
        await ended.wait()


def _tls(certificate: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def _write_statistics(gateway: Gateway, path: Path) -> None:
    found = gateway.statistics()
    counted = {
        "dispatched": sum(model.dispatched for model in found.qos.models.values()),
        "completed": sum(model.completed for model in found.qos.models.values()),
    }
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(counted), encoding="utf-8")
    unfinished.replace(path)


if __name__ == "__main__":
    main()
