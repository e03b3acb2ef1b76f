"""Gateway configurations, callers and requests for tests."""

from hashlib import sha256

from controller.gateway.configuration import Caller, Endpoint, GatewayConfiguration, Limits, ServiceRoute
from controller.qos.settings import ModelSettings, QoSClass

KEY = b"sk-test"
CLASSES = (QoSClass("realtime", 0, 8, 1.0), QoSClass("standard", 1, 4, 10.0), QoSClass("batch", 2, 1, 60.0))


class Keys:
    """An authenticator that knows some keys."""

    def __init__(self, callers: dict[bytes, Caller] | None = None) -> None:
        self.callers = callers if callers is not None else {KEY: caller()}

    def find(self, token: bytes) -> Caller | None:
        return self.callers.get(token)


def caller(tenant: str = "team-a", *, ceiling: str | None = None) -> Caller:
    return Caller(tenant, "key-1", ceiling=ceiling, namespaces=frozenset({tenant}))


def endpoint(
    port: int, *, uid: str | None = None, seats: int = 4, takes_priority: bool = False, ready: bool = True
) -> Endpoint:
    name = uid or f"pod-{port}"
    return Endpoint(name, "127.0.0.1", port, f"node-0/{name}/0", seats, takes_priority=takes_priority, ready=ready)


def route(
    *endpoints: Endpoint,
    name: str = "llama",
    namespace: str = "team-a",
    settings: ModelSettings | None = None,
    qos_class: str = "standard",
) -> ServiceRoute:
    qos = settings or ModelSettings(f"{namespace}/{name}", qos_class)
    return ServiceRoute(namespace, name, (name,), qos, endpoints)


def configuration(*services: ServiceRoute, limits: Limits | None = None, let_in: bool = False) -> GatewayConfiguration:
    return GatewayConfiguration(
        services, CLASSES, keys={sha256(KEY).digest(): caller()}, open=let_in, limits=limits or Limits()
    )
