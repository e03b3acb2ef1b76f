"""What the gateway works by: which services there are and where their engines listen, who may call, and the limits.

Frozen throughout. Who watches the API server builds a new `GatewayConfiguration` and hands it over whole; a reload
compares it with the one before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Literal

from controller.qos.settings import ModelSettings, QoSClass, TenantSettings

Metric = Literal["requestLatency", "timeToFirstToken", "timePerOutputToken", "queueWait"]

DEFAULT_OUTPUT_TOKENS = 256
"""Tokens a request is expected to be answered with until its service has been seen to answer some: the same order as
published traces of chats (a median of 100 to 350); only the first requests of a service are ordered by it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One engine: a Ready pod of a service, and the address its requests go to.

    `uid` is the pod's; `partition` is "node/bdf/function", the same for all members of a share group; `seats` is how
    many requests its engine serves at once. `tls` speaks HTTPS to it. `takes_priority` is true of an engine that was
    started to schedule by priority, the only kind that is told one. Not `ready`: it is draining, and gets nothing new.
    """

    uid: str
    host: str
    port: int
    partition: str
    seats: int
    tls: bool = False
    takes_priority: bool = False
    ready: bool = True


@dataclass(frozen=True, slots=True)
class Objective:
    """One service level objective: `percentile` (0 to 100) of `metric` within `threshold_seconds`.

    `objective_fraction` is the share of the time that this has to hold, above 0 and up to 1.
    """

    metric: Metric
    percentile: float
    threshold_seconds: float
    objective_fraction: float


@dataclass(frozen=True, slots=True)
class ServiceRoute:
    """One InferenceService as the gateway serves it.

    `model_ids` are the names that a body's `model` may have besides "namespace/name": the service's and its model's.
    `engine_model` is the one that its engines know; what goes to them says that one, whichever the client wrote. None:
    they take any.
    `default_output_tokens` is how long an answer is taken to be when the request sets no limit.
    `shared_seats` bounds the requests in flight where pods share a partition; None: by what the engines take.
    """

    namespace: str
    name: str
    model_ids: tuple[str, ...]
    qos: ModelSettings
    endpoints: tuple[Endpoint, ...] = ()
    objectives: tuple[Objective, ...] = ()
    default_output_tokens: int = DEFAULT_OUTPUT_TOKENS
    engine_model: str | None = None
    shared_seats: int | None = None

    @property
    def key(self) -> str:
        """The service as "namespace/name", which is its name in the dispatcher too."""
        return self.qos.model

    def __post_init__(self) -> None:
        if self.qos.model != f"{self.namespace}/{self.name}":
            raise ValueError(f"qos.model {self.qos.model!r} must be the service, {self.namespace}/{self.name}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the tenant that is charged, and what its key or token lets it do.

    `name` is of the key or account, for logs. `ceiling` is the best class it may use, None for any. `namespaces` are
    those whose services it may call, None for all. Its rate is its tenant's.
    """

    tenant: str
    name: str
    ceiling: str | None = None
    namespaces: frozenset[str] | None = frozenset()

    @property
    def home(self) -> str:
        """The namespace that it is of, whose services win every name they have; none of one who may call all."""
        return self.tenant.partition("/")[0] if self.namespaces is not None else ""

    def may_call(self, namespace: str) -> bool:
        """Whether services of this namespace answer the caller."""
        return self.namespaces is None or namespace in self.namespaces


ANYBODY = Caller(tenant="anonymous", name="anonymous", namespaces=None)
"""Who asks without a key where the gateway is open."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of anything one client or engine may take. Seconds, bytes and counts are all above zero.

    Each wait of the gateway is one of these, so none is without an end.
    """

    sequences: int = 1
    """What one request may have generated at once: its prompts, each as often as it wants choices. An engine keeps room
    for so many sequences, and a seat stands for one request: the more each may ask for, the fewer seats there are."""
    head_bytes: int = 16_384
    """A request's first line and headers together; also an engine's."""
    header_count: int = 100
    body_bytes: int = 32 << 20
    """A request's body: the whole of it is held until the request is dispatched."""
    bodies_bytes: int = 256 << 20
    """All bodies together that come in more than one piece, until their answers begin. What comes in one piece, at most
    some 64 KiB, is bounded by the queues' lengths."""
    connections: int = 20_000
    """Clients' connections at once; the next one is closed at once."""
    connections_per_client: int = 20_000
    """Of them from one address. As many as there may be at all, unless set: behind a load balancer or a NAT all clients
    have one address."""
    head_seconds: float = 10.0
    """From a request's first byte until its head is whole."""
    body_seconds: float = 60.0
    """From the head until the body is whole."""
    idle_seconds: float = 75.0
    """A client's connection between two requests."""
    write_seconds: float = 60.0
    """How long a client may leave what is sent to it unread before its request is cancelled."""
    upstream_connect_seconds: float = 3.0
    upstream_first_byte_seconds: float = 600.0
    """From a request's dispatch to an engine until the answer's head; long, for an answer that is not streamed comes
    only when all of it has been made."""
    upstream_silence_seconds: float = 120.0
    """Between two pieces of an answer."""
    upstream_idle_seconds: float = 4.0
    """How long an engine's connection is kept unused; shorter than engines keep theirs, vLLM's for 5 s."""
    upstream_idle_connections: int = 256
    """Unused connections kept to one engine."""
    retries: int = 2
    """How often a request is sent elsewhere when an engine failed before the first byte of its answer."""
    buffer_bytes: int = 65_536
    """What may wait to be written to a client before its engine is read no further, and the other way round."""

    def problems(self) -> list[str]:
        """Each limit that is not above zero (`retries` may be zero), with field, value and remedy."""
        found = []
        for item in fields(self):
            value = getattr(self, item.name)
            if value < 0 or (value == 0 and item.name != "retries"):
                found.append(f"limit {item.name} is {value}: write more than 0")
        return found


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class GatewayConfiguration:
    """All that the gateway works by.

    `keys` has callers by the SHA-256 digest of their key: no key is held. `tenants` has those with a weight or a rate
    of their own, by the name that callers have. `open` lets those in who show none, as
    `ANYBODY`. `host_namespaces` maps a Host (lower case, without its port) to the one namespace whose services it
    stands for; other hosts stand for all.
    """

    services: tuple[ServiceRoute, ...] = ()
    classes: tuple[QoSClass, ...] = ()
    keys: Mapping[bytes, Caller] = field(default_factory=lambda: MappingProxyType({}))
    tenants: Mapping[str, TenantSettings] = field(default_factory=lambda: MappingProxyType({}))
    open: bool = False
    limits: Limits = field(default_factory=Limits)
    host_namespaces: Mapping[str, str] = field(default_factory=_nothing)
