import pytest

from controller.runtime.objects.endpoint_slice import EndpointPort, is_https, serving_port


def port(name: str, number: int | None = 80, protocol: str = "", app: str = "") -> EndpointPort:
    return EndpointPort(name=name, port=number, protocol=protocol, app_protocol=app)


@pytest.mark.parametrize(
    ("ports", "want"),
    [
        pytest.param((port("metrics"), port("http1")), "http1", id="named for HTTP"),
        pytest.param((port("grpc"), port("rest")), "grpc", id="else the first"),
        pytest.param((port("http", None), port("b")), "b", id="with a number"),
        pytest.param((port("http", protocol="UDP"),), None, id="of TCP"),
        pytest.param((), None, id="none"),
    ],
)
def test_the_port_that_requests_go_to(ports: tuple[EndpointPort, ...], want: str | None) -> None:
    chosen = serving_port(ports)
    assert (chosen.name if chosen is not None else None) == want


@pytest.mark.parametrize(
    ("one", "want"),
    [
        (port("https"), True),
        (port("https-api"), True),
        (port("http"), False),
        (port("http", app="https"), True),
        (port("https", app="http"), False),
        (port("x", app="kubernetes.io/wss"), True),
    ],
)
def test_tls_by_application_protocol_or_name(one: EndpointPort, want: bool) -> None:
    assert is_https(one) is want
