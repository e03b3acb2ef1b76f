"""The agent process: one agent a node, each with that node's own token; health and metrics for all of them.

On hardware a process serves its own node. A process that simulates N nodes holds N tokens, so that the same policy
that keeps one node's agent off another's objects holds here too.
"""

import asyncio
from contextlib import closing
from random import Random

from controller.agent.amdsmi_library import AmdsmiUnavailable
from controller.entrypoints.agent_metrics import AgentMetrics, NodeLedger
from controller.entrypoints.agent_options import AgentOptions
from controller.entrypoints.metrics_endpoint import metrics_server, process_metrics, reviewing_client
from controller.entrypoints.node_runner import NodeRunner
from controller.entrypoints.ports_file import PortsFile
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ConfigurationError
from controller.runtime.clock import Clock, RealClock
from controller.runtime.health import HealthServer
from controller.runtime.manager import Manager
from controller.runtime.signals import stopping_on_signals
from controller.telemetry.instruments import AGENT_OPERATIONS
from controller.telemetry.metrics import Metrics


class AgentProcess:
    """Everything of the process. `run` returns when `stop` is set. `reviews` asks who may read `metrics`.

    Raises AmdsmiUnavailable where AMD SMI was asked for and is not there.
    """

    def __init__(self, options: AgentOptions, reviews: Client, metrics: Metrics, clock: Clock) -> None:
        operations = metrics.counter(AGENT_OPERATIONS)
        ledgers = [NodeLedger(node.name, operations, clock) for node in options.nodes]
        self._runners = [
            NodeRunner(node, options, clock, Random(options.seed), metrics.meter, ledger)  # noqa: S311
            for node, ledger in zip(options.nodes, ledgers, strict=True)
        ]
        self._told = AgentMetrics(metrics, self._runners, ledgers)
        checks = {runner.node.name: runner.verdict for runner in self._runners}
        self.health = HealthServer(options.host, options.health_port, checks, clock=clock)
        self.metrics = metrics_server(
            options.host, options.metrics_port, metrics, reviews, clock, plain=options.metrics_plain
        )
        self._manager = Manager(clock=clock)
        self._manager.add_health(self.health)
        self._manager.add_health(self.metrics)
        if metrics.push is not None:
            self._manager.add_health(metrics.push)
        self._manager.add(PortsFile("agent", options.ports_file, self._ports))
        for runner in self._runners:
            self._manager.add(runner)

    async def _ports(self) -> dict[str, int]:
        return {"health": self.health.port, "metrics": self.metrics.port}

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set. Raises OSError when a port is taken."""
        await self._manager.run(stop)


async def run_agent(options: AgentOptions) -> None:
    """Run the agents until SIGTERM or SIGINT. Raises OSError when a port is taken, ConfigurationError."""
    clock = RealClock()
    stop = asyncio.Event()
    # any node's token will do to ask who may read metrics
    configuration = options.configuration(options.nodes[0])
    with stopping_on_signals(stop), closing(process_metrics("agent", options.otlp_metrics_endpoint)) as metrics:
        async with reviewing_client(configuration, metrics, clock, "aim-gpu-agent") as reviews:
            try:
                process = AgentProcess(options, reviews, metrics, clock)
            except AmdsmiUnavailable as error:
                raise ConfigurationError(f"--backend {options.backend}: {error}; or use auto or sysfs") from error
            await process.run(stop)
