"""How simulated nodes' kubelets are served, out of what the command line says."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.agent.kubelet_plugins.kubelet_folder import LONGEST_SOCKET_PATH, registration_socket
from controller.agent.kubelet_plugins.plugin import CDI_FOLDER, KUBELET_ROOT
from controller.binding.device_plugin import Naming
from controller.entrypoints.agent_nodes import AgentOptionError
from controller.entrypoints.agent_options import BackendChoice, NodeOptions, PluginKind, PluginOptions


@dataclass(frozen=True, slots=True)
class GivenPlugin:
    """What the command line says of kubelets."""

    kind: PluginKind | None = None
    kubelet_root: Path | None = None
    cdi_folder: Path | None = None
    naming: Naming | None = None


def plugin(given: GivenPlugin, backend: BackendChoice, nodes: Sequence[NodeOptions]) -> PluginOptions | None:
    """How kubelets are served; None: they are not. Raises AgentOptionError."""
    _require_fitting(given, backend)
    if given.kind is None:
        return None
    options = PluginOptions(
        given.kind, given.kubelet_root or KUBELET_ROOT, given.cdi_folder or CDI_FOLDER, given.naming or Naming.SINGLE
    )
    if len({options.root(node.name) for node in nodes}) < len(nodes):
        raise AgentOptionError(
            f"--kubelet-root {options.kubelet_root}: {len(nodes)} nodes have a kubelet each; put {{node}} into it"
        )
    for node in nodes:
        _require_root(options.root(node.name))
    return options


def _require_fitting(given: GivenPlugin, backend: BackendChoice) -> None:
    if given.kind is not None and backend is not BackendChoice.SIMULATED:
        raise AgentOptionError(
            f"--kubelet-plugin {given.kind}: is of simulated GPUs, and the backend is {backend}: with real ones AMD's "
            "own DRA driver or device plugin serves the kubelet; leave it out"
        )
    needed = {
        "--kubelet-root": (given.kubelet_root, tuple(PluginKind)),
        "--cdi-dir": (given.cdi_folder, (PluginKind.DRA,)),
        "--resource-naming": (given.naming, (PluginKind.DEVICE_PLUGIN,)),
    }
    for option, (value, kinds) in needed.items():
        if value is not None and given.kind not in kinds:
            raise AgentOptionError(f"{option} {value}: goes with --kubelet-plugin {' or '.join(kinds)}")


def _require_root(root: Path) -> None:
    if not root.is_absolute():
        raise AgentOptionError(f"--kubelet-root {root}: the kubelet is told of paths below it; give it from / on")
    length = len(bytes(registration_socket(root)))
    if length > LONGEST_SOCKET_PATH:
        raise AgentOptionError(
            f"--kubelet-root {root}: sockets below it would have paths of {length} characters, and may have "
            f"{LONGEST_SOCKET_PATH}; give a shorter one"
        )
