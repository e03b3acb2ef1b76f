"""The operator's storage migration alone, as a process that may be killed; it says what it did at its end."""

import argparse
import asyncio
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import orjson
import uvloop

from controller.entrypoints.operator_migration import PROGRESS
from controller.entrypoints.operator_webhooks import CONVERTED
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.storage_migration import StorageMigration
from controller.telemetry.logs import configure_logs
from e2e.run.install import SYSTEM_NAMESPACE


async def migrate(kubeconfig: Path, per_second: float) -> None:
    """Migrate until all definitions are finished, or SIGTERM, or until whoever started it is gone."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(sys.stdin.fileno(), stop.set)
    async with Client(ClientConfiguration.from_kubeconfig(kubeconfig)) as client, asyncio.TaskGroup() as tasks:
        migration = StorageMigration(
            client, CONVERTED, namespace=SYSTEM_NAMESPACE, name=PROGRESS, per_second=per_second, settle_seconds=1.0
        )
        running = tasks.create_task(migration.run())
        while not stop.is_set() and migration.statistics().finished < len(CONVERTED):  # noqa: ASYNC110 - its figures
            await asyncio.sleep(0.05)
        running.cancel()
    sys.stdout.write(orjson.dumps(asdict(migration.statistics())).decode() + "\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--per-second", type=float, required=True)
    given = parser.parse_args()
    configure_logs("info")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(migrate(given.kubeconfig, given.per_second))


if __name__ == "__main__":
    main()
