"""Which backend serves a node, and the kubelet that is asked beside it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import structlog

from controller.agent.amdsmi_library import AmdsmiUnavailable
from controller.agent.backend import NodeHardware, PartitionBackend
from controller.agent.host_lock import HostLock
from controller.agent.kubelet_plugins.plugin import KubeletPlugin, PluginFactory, PluginHost
from controller.agent.node_agent import BackendFactory
from controller.agent.observation import Assignments
from controller.agent.simulated_backend import SimulatedBackend, SimulatedShape
from controller.entrypoints.agent_options import (
    AgentOptions,
    BackendChoice,
    NodeOptions,
    PluginKind,
    PluginOptions,
    of_node,
)
from controller.gpu.identity import PartitionId
from controller.runtime.client.client import Client
from controller.runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class ChosenBackend:
    """How a node's backend is made. `fallback`: why it is not the one that should be, "" when it is."""

    make: BackendFactory
    fallback: str = ""


def choose_backend(node: NodeOptions, options: AgentOptions, clock: Clock) -> ChosenBackend:
    """The backend of a node; a real one is opened here, once. Raises AmdsmiUnavailable where AMD SMI was asked for."""
    match options.backend:
        case BackendChoice.SIMULATED:
            return ChosenBackend(_simulated(node, options, clock))
        case BackendChoice.SYSFS:
            return ChosenBackend(_always(_sysfs(options.sysfs_root)))
        case BackendChoice.AMDSMI:
            return ChosenBackend(_always(_amdsmi(options.sysfs_root)))
        case BackendChoice.AUTO:
            return _amdsmi_or_sysfs(options.sysfs_root)
        case _:
            assert_never(options.backend)


def simulated_node(
    node: NodeOptions,
    options: AgentOptions,
    clock: Clock,
    *,
    held: Callable[[], frozenset[str]] = frozenset,
    used: Callable[[], Mapping[PartitionId, int]] = dict,
) -> SimulatedBackend:
    """The simulated GPUs of a node. Raises ValueError and BackendError's tree for settings that do not go together."""
    if node.mode is None:
        raise ValueError("a simulated node starts in a mode; give it one")
    shape = SimulatedShape(
        mode=node.mode,
        gpus=node.gpus,
        time_scale=options.time_scale,
        state_file=options.state_dir / f"{node.name}.json" if options.state_dir else None,
        product=options.product,
        script=options.script.of(node.name),
    )
    return SimulatedBackend(shape, clock, held=held, used=used)


def choose_assignments(node: NodeOptions, options: AgentOptions) -> Assignments | None:
    """Who tells what was given to whom on a node; None: nobody is asked."""
    if options.pod_resources_socket is None:
        return None
    # gRPC costs 6 MB, which only those pay who ask
    from controller.agent.platform_devices import numbered_minors, platform_minors
    from controller.agent.pod_resources import PodResources

    def of_host(_: NodeHardware) -> Mapping[str, int]:
        return platform_minors(options.sysfs_root)

    socket = of_node(options.pod_resources_socket, node.name)
    return PodResources(socket, numbered_minors if options.backend is BackendChoice.SIMULATED else of_host)


def choose_plugin(node: NodeOptions, options: AgentOptions, clock: Clock) -> PluginFactory | None:
    """What serves the node's kubelet; None: nothing does. AMD's own do on hardware."""
    plugin = options.plugin
    if plugin is None or options.backend is not BackendChoice.SIMULATED:
        return None
    return _dra(node, plugin, clock) if plugin.kind is PluginKind.DRA else _device_plugin(node, plugin, clock)


def choose_lock(options: AgentOptions, clock: Clock) -> HostLock | None:
    """What keeps two agents of a host from changing its GPUs at once: the kubelet's folder, which all of them mount.

    None for simulated GPUs, which are their process's own.
    """
    if options.backend is BackendChoice.SIMULATED or options.pod_resources_socket is None:
        return None
    return HostLock(options.pod_resources_socket.parent, clock)


def _dra(node: NodeOptions, plugin: PluginOptions, clock: Clock) -> PluginFactory:
    from controller.agent.kubelet_plugins.dra_plugin import DraPlugin

    def make(host: PluginHost, client: Client) -> KubeletPlugin:
        return DraPlugin(host, client, plugin.root(node.name), of_node(plugin.cdi_folder, node.name), clock)

    return make


def _device_plugin(node: NodeOptions, plugin: PluginOptions, clock: Clock) -> PluginFactory:
    from controller.agent.kubelet_plugins.device_plugin import DevicePlugin

    def make(host: PluginHost, _: Client) -> KubeletPlugin:
        return DevicePlugin(host, plugin.root(node.name), plugin.naming, clock)

    return make


def _simulated(node: NodeOptions, options: AgentOptions, clock: Clock) -> BackendFactory:
    def make(*, held: Callable[[], frozenset[str]], used: Callable[[], Mapping[PartitionId, int]]) -> PartitionBackend:
        return simulated_node(node, options, clock, held=held, used=used)

    return make


def _always(backend: PartitionBackend) -> BackendFactory:
    def make(*, held: object, used: object) -> PartitionBackend:  # noqa: ARG001 - hardware knows its users
        return backend

    return make


def _sysfs(root: Path) -> PartitionBackend:
    from controller.agent.sysfs_backend import SysfsBackend

    return SysfsBackend(root)


def _amdsmi(root: Path) -> PartitionBackend:
    from controller.agent.amdsmi_backend import open_amdsmi

    return open_amdsmi(root)


def _amdsmi_or_sysfs(root: Path) -> ChosenBackend:
    try:
        return ChosenBackend(_always(_amdsmi(root)))
    except AmdsmiUnavailable as error:
        fallback = f"{error}; until this agent is started again with it, sysfs reads the GPUs and changes nothing"
        structlog.get_logger(__name__).warning("no AMD SMI, reading sysfs", reason=str(error))
        return ChosenBackend(_always(_sysfs(root)), fallback)
