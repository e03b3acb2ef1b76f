"""What makes a gateway one of several replicas: its identity, its certificate for the others, its shards."""

import ssl
from random import SystemRandom

from controller.entrypoints.gateway_options import GatewayOptions
from controller.gateway.peer_name import PEER_NAME
from controller.gateway.shards.collector import observe_shards
from controller.gateway.shards.coordinator import Replica
from controller.gateway.shards.peer_tls import PeerTls
from controller.gateway.shards.replica import GatewayReplica, PeerAddress
from controller.runtime.certs.bundle import CertificateKeeper, SecretName
from controller.runtime.client.client import Client
from controller.runtime.clock import Clock
from controller.runtime.election.renewer import unique_identity
from controller.telemetry.metrics import Metrics


def replica_of(
    options: GatewayOptions, client: Client, engine_tls: ssl.SSLContext, clock: Clock, metrics: Metrics
) -> tuple[GatewayReplica, CertificateKeeper]:
    """The replica, and what keeps its certificate in a Secret that all of the group share; both are to be run."""
    tls = PeerTls()
    keeper = CertificateKeeper(
        client,
        SecretName(options.namespace, f"{options.replica_group}-peers"),
        [PEER_NAME],
        common_name=f"{options.replica_group} replicas",
        purpose="peer",
        clock=clock,
        meter=metrics.meter,
    )
    keeper.on_change(lambda certificate: tls.replace(certificate, clock.now()))
    rng = SystemRandom()
    replica = GatewayReplica(
        client,
        Replica(unique_identity(rng), options.replica_group, options.namespace),
        PeerAddress(options.bind_host, options.peer_port, options.peer_host or options.bind_host),
        tls=tls,
        engine_tls=engine_tls,
        clock=clock,
        rng=rng,
    )
    observe_shards(metrics, replica.ownership.statistics)
    return replica, keeper
