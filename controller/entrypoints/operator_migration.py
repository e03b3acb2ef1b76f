"""The operator's storage migration: which kinds, and where it notes how far it got."""

from typing import Final

from controller.entrypoints.operator_options import OperatorOptions
from controller.entrypoints.operator_webhooks import CONVERTED
from controller.runtime.client.client import Client
from controller.runtime.clock import Clock
from controller.runtime.storage_migration import StorageMigration
from controller.telemetry.metrics import Metrics

PROGRESS: Final = "aim-gpu-storage-migration"
"""The ConfigMap of the system namespace that holds the position."""


def storage_migration(options: OperatorOptions, client: Client, clock: Clock, metrics: Metrics) -> StorageMigration:
    """The migration of the kinds that are served in two versions; for the leader, whose writes `client` guards."""
    return StorageMigration(
        client, CONVERTED, namespace=options.system_namespace, name=PROGRESS, clock=clock, meter=metrics.meter
    )
