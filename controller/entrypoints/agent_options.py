"""Settings of the agent process."""

from dataclasses import dataclass
from pathlib import Path

from controller.agent.heartbeat import INTERVAL_SECONDS
from controller.agent.simulated_seed import MAX_GPUS
from controller.gpu.mode import Mode
from controller.runtime.client.configuration import ClientConfiguration


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
    GPUs in the modes they started in. A port of 0 takes a free one; both are written to `ports_file` as {"health",
    "metrics"} once they listen. `metrics_plain`: metrics over HTTP without authentication. `seed` None: jitter differs
    from run to run.
    """

    nodes: tuple[NodeOptions, ...]
    server: str
    ca_file: Path | None = None
    time_scale: float = 1.0
    state_dir: Path | None = None
    host: str = "0.0.0.0"  # noqa: S104 - probes and Prometheus come from outside
    health_port: int = 8081
    metrics_port: int = 8443
    metrics_plain: bool = False
    seed: int | None = None
    ports_file: Path | None = None
    heartbeat_seconds: float = INTERVAL_SECONDS

    def configuration(self, node: NodeOptions) -> ClientConfiguration:
        """How to reach the API server as the agent of `node`."""
        ca = str(self.ca_file) if self.ca_file else None
        return ClientConfiguration(server=self.server, ca=ca, token_file=node.token_file)
