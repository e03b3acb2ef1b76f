"""Settings of the agent process."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from controller.agent.heartbeat import INTERVAL_SECONDS, SYSTEM_NAMESPACE
from controller.agent.kubelet_plugins.plugin import CDI_FOLDER, KUBELET_ROOT
from controller.agent.simulated_faults import NO_FAULTS, FaultScript
from controller.agent.simulated_seed import MAX_GPUS, PRODUCT
from controller.binding.device_plugin import Naming
from controller.gpu.mode import Mode
from controller.runtime.client.configuration import ClientConfiguration

SYSFS = Path("/sys")
KUBELET_SOCKET = Path("/var/lib/kubelet/pod-resources/kubelet.sock")


class BackendChoice(StrEnum):
    """How the GPUs are reached. `AUTO`: by AMD SMI, and by the driver's files where its library is missing."""

    AUTO = "auto"
    AMDSMI = "amdsmi"
    SYSFS = "sysfs"
    SIMULATED = "simulated"


class PluginKind(StrEnum):
    """What simulated GPUs are to their node's kubelet: devices of AMD's DRA driver, or of AMD's device plugin."""

    DRA = "dra"
    DEVICE_PLUGIN = "device-plugin"


@dataclass(frozen=True, slots=True)
class PluginOptions:
    """How kubelets are served. `{node}` in `kubelet_root`, the kubelet's folder, stands for the node's name.

    `cdi_folder` is of DRA, `naming` of the device plugin.
    """

    kind: PluginKind
    kubelet_root: Path = KUBELET_ROOT
    cdi_folder: Path = CDI_FOLDER
    naming: Naming = Naming.SINGLE

    def root(self, node: str) -> Path:
        """The folder of that node's kubelet."""
        return of_node(self.kubelet_root, node)


def of_node(path: Path, node: str) -> Path:
    """`path` with `{node}` replaced."""
    return Path(str(path).replace("{node}", node))


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """One node: its Node's name, the file of its node-bound token, and, simulated, the mode its GPUs start in.

    `token_file` None: the process's own credential serves. `mode` None: the GPUs are real.
    """

    name: str
    token_file: Path | None = None
    mode: Mode | None = None
    gpus: int = MAX_GPUS


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """How the process runs.

    `product` and `script` are of simulated GPUs. `time_scale`: 1 makes their mode changes take as long as on hardware,
    0 no time. `state_dir` None: a restart finds them in the modes they started in. `pod_resources_socket` None: no
    kubelet is asked; `{node}` in it stands for the node's name. `plugin` None: no kubelet is served. A port of 0 takes
    a free one; both are written to `ports_file` as {"health", "metrics"} once they listen. `metrics_plain`: metrics
    over HTTP without authentication. `otlp_metrics_endpoint` None: they are served and not sent. `seed` None: jitter
    differs from run to run.
    """

    nodes: tuple[NodeOptions, ...]
    connection: ClientConfiguration
    backend: BackendChoice = BackendChoice.SIMULATED
    sysfs_root: Path = SYSFS
    product: str = PRODUCT
    script: FaultScript = NO_FAULTS
    time_scale: float = 1.0
    state_dir: Path | None = None
    pod_resources_socket: Path | None = None
    plugin: PluginOptions | None = None
    host: str = "0.0.0.0"  # noqa: S104 - probes and Prometheus come from outside
    health_port: int = 8081
    metrics_port: int = 8443
    metrics_plain: bool = False
    otlp_metrics_endpoint: str | None = None
    seed: int | None = None
    ports_file: Path | None = None
    heartbeat_seconds: float = INTERVAL_SECONDS
    system_namespace: str = SYSTEM_NAMESPACE

    def configuration(self, node: NodeOptions) -> ClientConfiguration:
        """How to reach the API server as the agent of `node`."""
        if node.token_file is None:
            return self.connection
        # of the connection only the way remains: whoever else it speaks for must not be asked first
        return replace(
            self.connection,
            token_file=node.token_file,
            token=None,
            plugin=None,
            client_certificate=None,
            client_key=None,
            impersonate=None,
        )
