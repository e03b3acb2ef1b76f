"""The agent process: one agent a node, each with that node's own token; health and metrics for all of them.

On hardware a process serves its own node. A process that simulates N nodes holds N tokens, so that the same policy
that keeps one node's agent off another's objects holds here too.
"""

import asyncio
import json
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated

import structlog
import typer

from controller.agent.backend import PartitionBackend
from controller.agent.heartbeat import INTERVAL_SECONDS
from controller.agent.node_agent import BackendFactory, NodeAgent
from controller.agent.simulated_backend import SimulatedBackend, SimulatedShape
from controller.agent.simulated_seed import MAX_GPUS
from controller.agent.usage import PartitionFigures
from controller.exporter.partition_metrics import memory_rows, utilization_rows
from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode, ModeError
from controller.runtime.cache.backoff import Backoff
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.clock import Clock, RealClock
from controller.runtime.health import HealthServer
from controller.runtime.manager import Manager
from controller.telemetry.logs import configure_logs
from controller.telemetry.metrics import Metrics

SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """One simulated node: its Node's name, the file of its node-bound token, the mode its GPUs start in."""

    name: str
    token_file: Path
    mode: Mode
    gpus: int = MAX_GPUS


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """How the process runs.

    `time_scale`: 1 makes mode changes take as long as on hardware, 0 no time. `state_dir` None: a restart finds the
    GPUs in the modes they started in. `port` 0 takes a free one, written to `ports_file` as {"metrics"} once it
    listens. `seed` None: jitter differs from run to run.
    """

    nodes: tuple[NodeOptions, ...]
    server: str
    ca_file: Path | None = None
    time_scale: float = 1.0
    state_dir: Path | None = None
    host: str = "0.0.0.0"  # noqa: S104 - probes and Prometheus come from outside
    port: int = 8081
    seed: int | None = None
    ports_file: Path | None = None
    heartbeat_seconds: float = INTERVAL_SECONDS


class NodeRunner:
    """Keeps the agent of one node running: what ends it is logged, and a new one follows, without harm to others."""

    def __init__(self, node: NodeOptions, options: AgentOptions, clock: Clock, rng: Random) -> None:
        self.node = node
        self._options = options
        self._clock = clock
        self._rng = rng
        self._agent: NodeAgent | None = None
        self._failure = "not started yet"
        self._log = structlog.get_logger(__name__).bind(node=node.name)

    def __str__(self) -> str:
        return f"agent of {self.node.name}"

    def verdict(self) -> bool | str:
        """True when the API's record of the node is true and current, else why it is not."""
        problem = self._agent.problem() if self._agent else self._failure
        return True if problem is None else problem

    def figures(self) -> tuple[PartitionFigures, ...]:
        """The node's partitions; none while no agent runs."""
        return self._agent.figures() if self._agent else ()

    async def run(self) -> None:
        """Run agents, one after another, until cancelled."""
        backoff = Backoff(self._rng)
        while True:
            try:
                await self._serve()
            except Exception as error:  # noqa: BLE001 - a worker's edge: one node must not end the others
                delay = backoff.failed(self._clock.monotonic())
                self._failure = f"{type(error).__name__}: {error}"
                self._log.exception("agent ended", retry_seconds=round(delay, 1))
                await self._clock.sleep(delay)

    async def _serve(self) -> None:
        configuration = ClientConfiguration(
            server=self._options.server,
            ca=str(self._options.ca_file) if self._options.ca_file else None,
            token_file=self.node.token_file,
        )
        async with Client(configuration, clock=self._clock, user_agent="aim-gpu-agent") as client:
            agent = NodeAgent(
                self.node.name,
                client,
                self._backend(),
                clock=self._clock,
                rng=self._rng,
                heartbeat_seconds=self._options.heartbeat_seconds,
            )
            self._agent = agent
            try:
                await agent.run()
            finally:
                self._agent = None

    def _backend(self) -> BackendFactory:
        directory = self._options.state_dir
        shape = SimulatedShape(
            mode=self.node.mode,
            gpus=self.node.gpus,
            time_scale=self._options.time_scale,
            state_file=directory / f"{self.node.name}.json" if directory else None,
        )

        def make(
            *, held: Callable[[], frozenset[str]], used: Callable[[], Mapping[PartitionId, int]]
        ) -> PartitionBackend:
            return SimulatedBackend(shape, self._clock, held=held, used=used)

        return make


class AgentProcess:
    """Everything of the process. `run` returns when `stop` is set."""

    def __init__(self, options: AgentOptions, clock: Clock) -> None:
        self._options = options
        self._metrics = Metrics("agent")
        self._runners = [NodeRunner(node, options, clock, Random(options.seed)) for node in options.nodes]  # noqa: S311
        self._metrics.observe_partitions(
            lambda: memory_rows(self._figures()), lambda: utilization_rows(self._figures())
        )
        checks = {runner.node.name: runner.verdict for runner in self._runners}
        self._health = HealthServer(options.host, options.port, checks, metrics=self._metrics.exposition)
        self._manager = Manager(clock=clock)
        self._manager.add_health(self._health)
        self._manager.add(_PortsFile(self._health, options.ports_file))
        for runner in self._runners:
            self._manager.add(runner)

    @property
    def port(self) -> int:
        """Where health and metrics listen."""
        return self._health.port

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set. Raises OSError when the port is taken."""
        try:
            await self._manager.run(stop)
        finally:
            self._metrics.close()

    def _figures(self) -> Iterator[PartitionFigures]:
        for runner in self._runners:
            yield from runner.figures()


class _PortsFile:
    """Tells whoever started the process which port it took."""

    def __init__(self, health: HealthServer, path: Path | None) -> None:
        self._health = health
        self._path = path

    async def run(self) -> None:
        structlog.get_logger(__name__).info("agent listens", host=self._health.host, port=self._health.port)
        if self._path is not None:
            temporary = self._path.with_suffix(".tmp")
            temporary.write_text(json.dumps({"metrics": self._health.port}))
            temporary.replace(self._path)
        await asyncio.Event().wait()


async def run_agent(options: AgentOptions) -> None:
    """Run the agents until SIGTERM or SIGINT. Raises OSError when the port is taken."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await AgentProcess(options, RealClock()).run(stop)


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
    metrics_port: Annotated[int, typer.Option(help="Port of health and metrics; 0 takes a free one.")] = 8081,
    ports_file: Annotated[Path | None, typer.Option(help="File to write that port to, as JSON.")] = None,
    heartbeat_seconds: Annotated[
        float, typer.Option(min=0.1, max=20.0, help="Pause between renewals of a node's Lease, which lasts 40 s.")
    ] = INTERVAL_SECONDS,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run the agents of simulated nodes until told to end."""
    if backend != SIMULATED:
        raise typer.BadParameter(f"backend {backend!r}: not there; use {SIMULATED}")
    configure_logs(log_level)
    options = AgentOptions(
        nodes=parse_nodes(node, tokens_dir, gpus),
        server=server,
        ca_file=ca_file,
        time_scale=time_scale,
        state_dir=state_dir,
        host=bind_host,
        port=metrics_port,
        ports_file=ports_file,
        heartbeat_seconds=heartbeat_seconds,
    )
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_agent(options))
