"""The agent of one node within a process that may serve several."""

from random import Random

import structlog
from opentelemetry.metrics import Meter

from controller.agent.node_agent import Ledger, NodeAgent
from controller.entrypoints.agent_backends import choose_assignments, choose_backend, choose_lock, choose_plugin
from controller.entrypoints.agent_options import AgentOptions, NodeOptions
from controller.gpu.figures import NodeFigures
from controller.runtime.cache.backoff import Backoff
from controller.runtime.client.client import Client
from controller.runtime.clock import Clock


class NodeRunner:
    """Keeps the agent of one node running: what ends it is logged, and a new one follows, without harm to others.

    `ledger` is kept across agents; while none runs nobody is known to hold anything. Raises AmdsmiUnavailable where AMD
    SMI was asked for and is not there.
    """

    def __init__(
        self, node: NodeOptions, options: AgentOptions, clock: Clock, rng: Random, meter: Meter, ledger: Ledger
    ) -> None:
        self.node = node
        self._options = options
        self._clock = clock
        self._rng = rng
        self._meter = meter
        self._ledger = ledger
        self._backend = choose_backend(node, options, clock)
        self._assignments = choose_assignments(node, options)
        self._lock = choose_lock(options, clock)
        self._make_plugin = choose_plugin(node, options, clock)
        self._agent: NodeAgent | None = None
        self._failure = "not started yet"
        self._log = structlog.get_logger(__name__).bind(node=node.name)

    def __str__(self) -> str:
        return f"agent of {self.node.name}"

    def verdict(self) -> bool | str:
        """True when the API's record of the node is true and current, else why it is not."""
        problem = self._agent.problem() if self._agent else self._failure
        return True if problem is None else problem

    async def measure(self) -> NodeFigures | None:
        """The node as it is now; None while no agent runs."""
        return await self._agent.measure() if self._agent else None

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
        configuration = self._options.configuration(self.node)
        async with Client(configuration, clock=self._clock, user_agent="aim-gpu-agent", meter=self._meter) as client:
            agent = NodeAgent(
                self.node.name,
                client,
                self._backend.make,
                clock=self._clock,
                rng=self._rng,
                heartbeat_seconds=self._options.heartbeat_seconds,
                system_namespace=self._options.system_namespace,
                fallback=self._backend.fallback,
                assignments=self._assignments,
                lock=self._lock,
                make_plugin=self._make_plugin,
                ledger=self._ledger,
            )
            self._agent = agent
            try:
                await agent.run()
            finally:
                self._agent = None
                self._ledger.hold(())
