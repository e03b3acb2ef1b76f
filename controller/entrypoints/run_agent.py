"""The agent process: one agent a node, each with that node's own token; health and metrics for all of them.

On hardware a process serves its own node. A process that simulates N nodes holds N tokens, so that the same policy
that keeps one node's agent off another's objects holds here too.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from controller.agent.heartbeat import INTERVAL_SECONDS
from controller.agent.simulated_seed import MAX_GPUS
from controller.agent.usage import PartitionFigures
from controller.entrypoints.agent_options import AgentOptions, NodeOptions
from controller.entrypoints.metrics_endpoint import metrics_server, reviewing_client
from controller.entrypoints.node_runner import NodeRunner
from controller.entrypoints.ports_file import PortsFile
from controller.entrypoints.process_command import (
    HealthPort,
    Listening,
    MetricsPort,
    configure_process_logs,
    run_process,
)
from controller.exporter.partition_metrics import memory_rows, utilization_rows
from controller.gpu.mode import Mode, ModeError
from controller.runtime.client.client import Client
from controller.runtime.clock import Clock, RealClock
from controller.runtime.health import HealthServer
from controller.runtime.manager import Manager
from controller.runtime.signals import stopping_on_signals
from controller.telemetry.metrics import Metrics

SIMULATED = "simulated"


class AgentProcess:
    """Everything of the process. `run` returns when `stop` is set. `reviews` asks who may read `metrics`."""

    def __init__(self, options: AgentOptions, reviews: Client, metrics: Metrics, clock: Clock) -> None:
        self._runners = [
            NodeRunner(node, options, clock, Random(options.seed), metrics.meter)  # noqa: S311
            for node in options.nodes
        ]
        metrics.observe_partitions(lambda: memory_rows(self._figures()), lambda: utilization_rows(self._figures()))
        checks = {runner.node.name: runner.verdict for runner in self._runners}
        self.health = HealthServer(options.host, options.health_port, checks, clock=clock)
        self.metrics = metrics_server(
            options.host, options.metrics_port, metrics, reviews, clock, plain=options.metrics_plain
        )
        self._manager = Manager(clock=clock)
        self._manager.add_health(self.health)
        self._manager.add_health(self.metrics)
        self._manager.add(PortsFile("agent", options.ports_file, self._ports))
        for runner in self._runners:
            self._manager.add(runner)

    async def _ports(self) -> dict[str, int]:
        return {"health": self.health.port, "metrics": self.metrics.port}

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set. Raises OSError when a port is taken."""
        await self._manager.run(stop)

    def _figures(self) -> Iterator[PartitionFigures]:
        for runner in self._runners:
            yield from runner.figures()


async def run_agent(options: AgentOptions) -> None:
    """Run the agents until SIGTERM or SIGINT. Raises OSError when a port is taken."""
    clock = RealClock()
    stop = asyncio.Event()
    # any node's token will do to ask who may read metrics
    configuration = options.configuration(options.nodes[0])
    with stopping_on_signals(stop), closing(Metrics("agent")) as metrics:
        async with reviewing_client(configuration, metrics, clock, "aim-gpu-agent") as reviews:
            await AgentProcess(options, reviews, metrics, clock).run(stop)


def parse_nodes(texts: Iterable[str], tokens: Path, gpus: int) -> tuple[NodeOptions, ...]:
    """Nodes from `NAME=CPX/NPS4` texts; each one's token is the file of its name in `tokens`.

    Raises typer.BadParameter for another form, an unknown mode, a name given twice or no name at all.
    """
    nodes: dict[str, NodeOptions] = {}
    for text in texts:
        name, separator, mode = text.partition("=")
        if not name or not separator:
            raise typer.BadParameter(f"node {text!r}: write NAME=MODE, such as node-0=CPX/NPS4")
        if name in nodes:
            raise typer.BadParameter(f"node {name!r}: given twice; give each node once")
        try:
            nodes[name] = NodeOptions(name, tokens / name, Mode.parse(mode), gpus)
        except ModeError as error:
            raise typer.BadParameter(f"node {name!r}: {error}") from error
    if not nodes:
        raise typer.BadParameter("no node: give at least one, such as --node node-0=CPX/NPS4")
    return tuple(nodes.values())


def agent(
    node: Annotated[list[str], typer.Option(help="A simulated node, NAME=MODE such as node-0=CPX/NPS4. Repeatable.")],
    tokens_dir: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Holds each node's token, in a file of its name.")
    ],
    server: Annotated[str, typer.Option(help="URL of the API server.")],
    ca_file: Annotated[Path | None, typer.Option(exists=True, help="Its certificate authority, PEM.")] = None,
    backend: Annotated[str, typer.Option(help="Where GPUs come from: simulated is the only one so far.")] = SIMULATED,
    gpus: Annotated[int, typer.Option(min=1, max=MAX_GPUS, help="GPUs of each simulated node.")] = MAX_GPUS,
    time_scale: Annotated[
        float, typer.Option(min=0.0, help="1: mode changes take as long as on hardware; 0: no time.")
    ] = 1.0,
    state_dir: Annotated[Path | None, typer.Option(help="Keeps the simulated GPUs' modes over restarts.")] = None,
    bind_host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104
    health_port: HealthPort = 8081,
    metrics_port: MetricsPort = 8443,
    metrics_plain: Annotated[
        bool, typer.Option("--metrics-plain/--metrics-secure", help="Metrics over HTTP, for anybody who asks.")
    ] = False,
    ports_file: Annotated[Path | None, typer.Option(help="File to write the ports to, as JSON.")] = None,
    heartbeat_seconds: Annotated[
        float, typer.Option(min=0.1, max=20.0, help="Pause between renewals of a node's Lease, which lasts 40 s.")
    ] = INTERVAL_SECONDS,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run the agents of simulated nodes until told to end."""
    if backend != SIMULATED:
        raise typer.BadParameter(f"backend {backend!r}: not there; use {SIMULATED}")
    configure_process_logs(log_level)
    options = AgentOptions(
        nodes=parse_nodes(node, tokens_dir, gpus),
        server=server,
        ca_file=ca_file,
        time_scale=time_scale,
        state_dir=state_dir,
        host=bind_host,
        health_port=health_port,
        metrics_port=metrics_port,
        metrics_plain=metrics_plain,
        ports_file=ports_file,
        heartbeat_seconds=heartbeat_seconds,
    )
    run_process(
        lambda: run_agent(options),
        [Listening("--health-port", bind_host, health_port), Listening("--metrics-port", bind_host, metrics_port)],
    )
