"""Requests that another replica orders: they are sent there as they came, and its answer is passed on as an engine's.

    take ── whose? ──> a peer's ──────> Pool ──> its answer, or no byte of one: whose is it now?
              │  ^                                                       │
              v  └───── ownership has changed, or a moment has passed ───┤
            parked <─────────── nobody's just now ───────────────────────┘
              └── after `Ownership.patience`: refused, NoEndpoint

A peer that is sent a request which is not its own either closes the connection without a word, so that the sender
looks again. It never sends it on: what comes from a peer is served there or nowhere, so no request goes in circles.
A peer that is not there any more may have been stopped with its connections open: what it has is taken from it.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from controller.gateway.configuration import Endpoint, ServiceRoute
from controller.gateway.latency import LatencyTable
from controller.gateway.peer_name import PEER_NAME
from controller.gateway.pool import Pool
from controller.qos.refusal import NO_ENDPOINT, refusal
from controller.qos.request import DONE, IN_FLIGHT, QUEUED, Request
from controller.qos.settings import QoSSettings
from controller.runtime.election.fence import Fence

if TYPE_CHECKING:
    from controller.gateway.exchange import Exchange
    from controller.gateway.gateway import Gateway

ACCEPTED_SECONDS = 2.0
"""Who had a request for so long had taken it: if it is lost then, looking for an owner begins anew."""
RETRY_AFTER_SECONDS = 1.0


PeerContexts = Callable[[], ssl.SSLContext]
"""What the next connection to a peer is made with: its certificate changes while the gateway runs."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Another replica: its identity, and where it takes other replicas' requests."""

    identity: str
    host: str
    port: int


NOBODY = Peer("", "", 0)
"""In place of a peer: who dispatches the service's partitions is not known just now."""


class Ownership(Protocol):
    """Which replica dispatches which partitions.

    `patience`: seconds that a request may be without an owner, which is how long it takes at most until a replica that
    was lost is followed by another.
    """

    patience: float

    def narrow(self, settings: QoSSettings) -> QoSSettings:
        """This replica's part of the settings."""
        ...

    def owner(self, route: ServiceRoute) -> Peer | None:
        """Who is to order the next request for this service: None this replica, else a peer, or NOBODY."""
        ...

    def orders(self, route: ServiceRoute) -> bool:
        """Whether this replica orders requests for any of the service's partitions."""
        ...

    def is_there(self, identity: str) -> bool:
        """Whether a replica was heard of lately."""
        ...

    def fence(self, partition: str) -> Fence:
        """What says whether, at this very moment, a request may be sent to this partition's engines."""
        ...


class PeerPool(Pool):
    """Connections to a peer. A request goes there with the key that its client showed, for the peer judges it anew."""

    server_name = PEER_NAME
    engine = False

    def __init__(self, gateway: "Gateway", endpoint: Endpoint, contexts: PeerContexts | None) -> None:
        super().__init__(gateway, endpoint)
        self._contexts = contexts

    def tls(self) -> ssl.SSLContext | None:
        """See Pool."""
        return self._contexts() if self._contexts is not None else None

    def outgoing(self, exchange: "Exchange") -> tuple[bytes, bytes]:
        """Head and body as they came, but for what holds for one connection."""
        head = exchange.client.head
        host = b"host: %b\r\n" % head.host.encode("latin-1") if head.host else self.host_line
        shown = b"authorization: Bearer %b\r\n" % head.token if head.token is not None else b""
        return b"%b%b%bcontent-length: %d\r\nx-request-id: %b\r\n\r\n" % (
            exchange.lead,
            host,
            shown,
            len(exchange.body),
            exchange.request_id,
        ), exchange.body


class Forwarding:
    """Takes requests that others order. In their place it stands for the dispatcher (`exchange.Seats`).

    `table` has what they took, seen from here: they are counted as a service's where they are dispatched.
    """

    def __init__(self, gateway: "Gateway", ownership: Ownership, tls: PeerContexts | None) -> None:
        self.ownership = ownership
        self.table = LatencyTable()
        self._gateway = gateway
        self._tls = tls
        self._pools: dict[str, PeerPool] = {}
        self._parked: set[Exchange] = set()
        self._sent: dict[Exchange, str] = {}

    def owner(self, exchange: "Exchange") -> Peer | None:
        """Who orders this request; None: this replica."""
        return self.ownership.owner(exchange.lane.route)

    def take(self, exchange: "Exchange", owner: Peer) -> None:
        """Send a request to its owner, or keep it until one is known."""
        exchange.manager = self
        exchange.table = self.table
        if owner is NOBODY:
            self._park(exchange)
            return
        self._sent[exchange] = owner.identity
        exchange.state = IN_FLIGHT
        exchange.dispatched = self._gateway.time()
        self._pool(owner).send(exchange)

    def look_again(self, now: float) -> None:
        """Send what is parked to its owner, where it has one by now; refuse what has waited for too long."""
        self._take_from_lost()
        for exchange in tuple(self._parked):
            owner = self.owner(exchange)
            if now - exchange.ownerless_since > self.ownership.patience:
                self._parked.remove(exchange)
                exchange.state = DONE
                message = f"no replica dispatches {exchange.model} just now"
                exchange.refused(refusal(NO_ENDPOINT, message, RETRY_AFTER_SECONDS))
            elif owner is not NOBODY:
                self._parked.remove(exchange)
                self._gateway.route(exchange.renewed(), now)

    def _take_from_lost(self) -> None:
        """Close the connections to those who are not there: requests that have no answer yet go elsewhere."""
        lost = {identity for identity in self._pools if not self.ownership.is_there(identity)}
        for exchange in [exchange for exchange, owner in self._sent.items() if owner in lost]:
            if exchange.upstream is not None:
                exchange.upstream.transport.abort()
        for identity in lost:
            self._pools.pop(identity).close()

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.close()

    def _pool(self, peer: Peer) -> PeerPool:
        found = self._pools.get(peer.identity)
        if found is None or (found.endpoint.host, found.endpoint.port) != (peer.host, peer.port):
            endpoint = Endpoint(peer.identity, peer.host, peer.port, "", 1)
            if found is not None:
                found.close()
            found = self._pools[peer.identity] = PeerPool(self._gateway, endpoint, self._tls)
        return found

    # --- in place of the dispatcher ---

    def first_byte(self, request: Request, now: float) -> None:
        """Of no interest here: the owner measures it."""

    def complete(
        self,
        request: Request,
        now: float,  # noqa: ARG002
        *,
        prompt_tokens: int | None = None,  # noqa: ARG002
        output_tokens: int | None = None,  # noqa: ARG002
        overloaded: bool = False,  # noqa: ARG002
    ) -> None:
        """The owner has answered, or failed after the first byte."""
        self._sent.pop(cast("Exchange", request), None)
        request.state = DONE

    def give_back(self, request: Request, now: float, *, avoid: frozenset[str]) -> None:  # noqa: ARG002
        """The owner sent no byte: look again a moment later, for it may not be the owner any more."""
        exchange = cast("Exchange", request)
        exchange.failed_at = frozenset()  # it is engines that are not asked twice
        self._park(exchange)

    def cancel(self, request: Request, now: float) -> None:  # noqa: ARG002
        """The client is gone."""
        exchange = cast("Exchange", request)
        self._sent.pop(exchange, None)
        self._parked.discard(exchange)
        exchange.state = DONE

    def _park(self, exchange: "Exchange") -> None:
        now = self._gateway.time()
        taken = self._sent.pop(exchange, None) is not None and now - exchange.dispatched > ACCEPTED_SECONDS
        if taken or not exchange.ownerless_since:
            exchange.ownerless_since = now
        exchange.state = QUEUED
        self._parked.add(exchange)
