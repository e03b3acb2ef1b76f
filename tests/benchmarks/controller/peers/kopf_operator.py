"""kopf's side of the benchmark, tuned: no limit of workers, no events posted, no scanning, uvloop, and the low-level
handler, so that an object costs one patch and no annotation of progress. Runs in an environment of its own.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from typing import Any

import kopf
import uvloop

SENT = "bench.aim.amd.com/sent"
_WIDGETS = ("bench.aim.amd.com", "v1", "widgets")


def report(event: str, **more: Any) -> None:
    """Write one line of the contenders' protocol."""
    sys.stdout.write(json.dumps({"event": event, "at": time.time_ns(), **more}) + "\n")
    sys.stdout.flush()


class Handlers:
    """What is done with a widget, and what was counted."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._started = time.time_ns()
        self.reconciles = 0
        self.milliseconds: list[float] = []

    async def write_status(self, body: Any, patch: Any, **_: Any) -> None:
        """Write the token unless it is there."""
        if not self.reconciles:
            report("first")
        self.reconciles += 1
        if body.get("status", {}).get("observed") != self._token:
            patch.status["observed"] = self._token

    async def listen(self, meta: Any, **_: Any) -> None:
        """Compare the clock with the annotation, unless it is an earlier run's."""
        entered = time.time_ns()
        sent = int(meta.annotations.get(SENT, 0))
        if sent >= self._started:
            self.milliseconds.append((entered - sent) / 1e6)


def settings() -> Any:
    """kopf without anything that is not measured."""
    found = kopf.OperatorSettings()
    found.queueing.worker_limit = None
    found.posting.enabled = False
    found.scanning.disabled = True
    return found


async def main(options: argparse.Namespace) -> None:
    """Run until standard input ends."""
    handlers = Handlers(options.token)
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(kopf.login_with_kubeconfig)
    handler = handlers.write_status if options.scenario == "status" else handlers.listen
    kopf.on.event(*_WIDGETS, registry=registry)(handler)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    report("ready")
    await lines.readline()
    stop, ready = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            kopf.operator(
                registry=registry,
                settings=settings(),
                namespaces=[options.namespace],
                standalone=True,
                stop_flag=stop,
                ready_flag=ready,
            )
        )
        await ready.wait()
        report("synced")  # it has no cache whose first list could be waited for
        await lines.read()
        stop.set()
    report("ended", reconciles=handlers.reconciles, milliseconds=handlers.milliseconds)


def parse() -> argparse.Namespace:
    """The protocol's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--scenario", choices=("status", "latency"), required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--token", default="")
    parser.add_argument("--projection")
    parser.add_argument("--workers")
    return parser.parse_args()


if __name__ == "__main__":
    given = parse()
    os.environ["KUBECONFIG"] = given.kubeconfig
    uvloop.run(main(given))
