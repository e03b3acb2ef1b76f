"""Metrics as all processes tell them: served as /metrics, and sent to a collector where one is named."""

import ssl

from controller.runtime.authorization import Authorizer
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration, ConfigurationError
from controller.runtime.clock import Clock
from controller.runtime.metrics_server import MetricsServer
from controller.telemetry.endpoint import OtlpError
from controller.telemetry.metrics import Metrics

#: A few more than the Authorizer has reviews of strangers under way.
REVIEW_CONNECTIONS = 8


def process_metrics(process: str, otlp_endpoint: str | None) -> Metrics:
    """The metrics of a process, sent to `otlp_endpoint` too unless that is None. Raises ConfigurationError."""
    try:
        return Metrics(process, otlp_endpoint=otlp_endpoint)
    except OtlpError as error:
        raise ConfigurationError(f"--otlp-metrics-endpoint: {error}") from error


def metrics_server(
    host: str,
    port: int,
    metrics: Metrics,
    reviews: Client,
    clock: Clock,
    *,
    plain: bool,
    tls: ssl.SSLContext | None = None,
) -> MetricsServer:
    """/metrics over HTTPS for those whom RBAC lets read it, or, where `plain` was asked for, over HTTP for anybody.

    `tls`: with what the process shows elsewhere; None: with a certificate of its own.
    """
    authorizer = None if plain else Authorizer(reviews, clock=clock)
    return MetricsServer(host, port, metrics.pieces, authorizer=authorizer, plain=plain, tls=tls, clock=clock)


def reviewing_client(configuration: ClientConfiguration, metrics: Metrics, clock: Clock, user_agent: str) -> Client:
    """A client that only asks who may read metrics: whoever comes for them takes no connection from the real work."""
    return Client(
        configuration, clock=clock, user_agent=user_agent, max_connections=REVIEW_CONNECTIONS, meter=metrics.meter
    )
