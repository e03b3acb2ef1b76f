"""What the commands of both processes have in common: their ports, their logs, and how a wrong option is refused."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterable
from contextlib import ExitStack
from typing import Annotated, Any, NamedTuple

import typer

from controller.cli.output import refuse
from controller.runtime.client.configuration import ConfigurationError
from controller.telemetry.endpoint import OtlpError
from controller.telemetry.logs import configure_logs

HealthPort = Annotated[int, typer.Option(min=0, max=65535, help="Port of /healthz and /readyz; 0 takes a free one.")]
OtlpMetricsEndpoint = Annotated[
    str | None,
    typer.Option(help="http(s)://HOST:PORT of a collector to send all metrics to as well, over OTLP; default: none."),
]
MetricsPort = Annotated[int, typer.Option(min=0, max=65535, help="Port of /metrics; 0 takes a free one.")]


class Listening(NamedTuple):
    """An address that the process will listen on, and the option that names its port."""

    option: str
    host: str
    port: int


def configure_process_logs(level: str) -> None:
    """Set logs up; ends with exit code 2 for a level that does not exist."""
    try:
        configure_logs(level)
    except ValueError as error:
        refuse(f"--log-level: {error}")


def run_process(main: Callable[[], Coroutine[Any, Any, None]], listening: Iterable[Listening]) -> None:
    """Run a process to its end; ends with exit code 2 and one line when an option cannot be used."""
    import uvloop

    refuse_taken_ports(listening)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())
    except OtlpError as error:
        refuse(f"--otlp-endpoint: {error}")
    except ConfigurationError as error:
        refuse(str(error))


def refuse_taken_ports(listening: Iterable[Listening]) -> None:
    """End with exit code 2 when one of the addresses cannot be listened on, before anything has been started.

    All are taken at once, so that an option that repeats another's port is found too. Ports of 0 are not looked at.
    """
    with ExitStack() as taken:
        for option, host, port in listening:
            if port:
                try:
                    taken.enter_context(_listen(host, port))
                except OSError as error:
                    problem = error.strerror or str(error)
                    refuse(f"{option} {port}: cannot listen on {host!r} ({problem}); give another port or --bind-host")


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    found = socket.socket(family, kind, protocol)
    try:
        # as asyncio does: connections of an earlier process that still linger are no obstacle
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(1)
    except OSError:
        found.close()
        raise
    return found
