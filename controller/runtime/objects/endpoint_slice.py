"""EndpointSlices (discovery.k8s.io/v1): where a Service's traffic may go."""

from controller.runtime.objects.metadata import ApiStruct, KubeObject, OrNull, null_is_empty

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
"""The label that names the slice's Service."""


class EndpointConditions(ApiStruct, frozen=True, kw_only=True):
    """None is "unknown": read `ready` None as true, `serving` None as `ready`, `terminating` None as false."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class ObjectReference(ApiStruct, frozen=True, kw_only=True):
    """The object behind an endpoint, usually a pod."""

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


NO_CONDITIONS = EndpointConditions()


class Endpoint(ApiStruct, frozen=True, kw_only=True):
    """One backend; all its addresses are of the slice's type and equally good."""

    addresses: OrNull[str] = ()
    conditions: EndpointConditions = NO_CONDITIONS
    hostname: str = ""
    node_name: str = ""
    zone: str = ""
    target_ref: ObjectReference | None = None

    def __post_init__(self) -> None:
        null_is_empty(self, "addresses")


class EndpointPort(ApiStruct, frozen=True, kw_only=True):
    """A port of every endpoint; `port` None: all ports, `protocol` "" is TCP."""

    name: str = ""
    protocol: str = ""
    port: int | None = None
    app_protocol: str = ""


def serving_port(ports: tuple[EndpointPort, ...]) -> EndpointPort | None:
    """The port that requests go to: one named for HTTP before others, else the first; None without any."""
    numbered = [port for port in ports if port.port and port.protocol in ("", "TCP")]
    return min(numbered, key=lambda port: not port.name.startswith("http"), default=None)


def is_https(port: EndpointPort) -> bool:
    """Whether TLS is spoken there, by the port's application protocol or else its name."""
    spoken = port.app_protocol or port.name.partition("-")[0]
    return spoken.lower().removeprefix("kubernetes.io/") in ("https", "wss")


class EndpointSlice(KubeObject, frozen=True, kw_only=True):
    """A part of a Service's endpoints; the Service is named by the label SERVICE_NAME_LABEL."""

    api_version: str = "discovery.k8s.io/v1"
    kind: str = "EndpointSlice"
    address_type: str = ""
    endpoints: OrNull[Endpoint] = ()
    ports: OrNull[EndpointPort] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "endpoints", "ports")
