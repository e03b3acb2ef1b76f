"""/metrics as both processes serve it."""

from controller.runtime.authorization import Authorizer
from controller.runtime.client.client import Client
from controller.runtime.clock import Clock
from controller.runtime.metrics_server import MetricsServer
from controller.telemetry.metrics import Metrics


def metrics_server(
    host: str, port: int, metrics: Metrics, client: Client, clock: Clock, *, plain: bool
) -> MetricsServer:
    """/metrics over HTTPS for those whom RBAC lets read it, or, where `plain` was asked for, over HTTP for anybody."""
    authorizer = None if plain else Authorizer(client, clock=clock)
    return MetricsServer(host, port, metrics.exposition, authorizer=authorizer, plain=plain, clock=clock)
