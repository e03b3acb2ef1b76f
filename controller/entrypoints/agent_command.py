"""`aim-gpu agent`: the process's options on the command line."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from controller.agent.backend import BackendError
from controller.agent.fault_file import load_script
from controller.agent.heartbeat import INTERVAL_SECONDS, SYSTEM_NAMESPACE
from controller.agent.kubelet_plugins import kubelet_folder
from controller.agent.simulated_faults import NO_FAULTS, FaultScript
from controller.agent.simulated_seed import MAX_GPUS, PRODUCT
from controller.cli.output import refuse
from controller.entrypoints.agent_arguments import (
    Backend,
    CdiFolder,
    Faults,
    FirstMode,
    GpuCount,
    KubeletRoot,
    NodeCount,
    NodeName,
    Plugin,
    PodResourcesSocket,
    ProductName,
    ResourceNaming,
    SimulatedNodes,
    StateDir,
    SysfsRoot,
    SystemNamespace,
    TimeScale,
    TokenFile,
    TokensDir,
)
from controller.entrypoints.agent_nodes import (
    AgentOptionError,
    GivenNodes,
    GivenServer,
    chosen_backend,
    connection,
    nodes,
)
from controller.entrypoints.agent_options import (
    KUBELET_SOCKET,
    SYSFS,
    AgentOptions,
    BackendChoice,
    PluginOptions,
)
from controller.entrypoints.agent_plugins import GivenPlugin, plugin
from controller.entrypoints.process_command import (
    HealthPort,
    Listening,
    MetricsPort,
    OtlpMetricsEndpoint,
    configure_process_logs,
    run_process,
)
from controller.runtime.client.configuration import ConfigurationError
from controller.runtime.clock import RealClock


def agent(
    node_name: NodeName = None,
    backend: Backend = None,
    sysfs_root: SysfsRoot = None,
    pod_resources_socket: PodResourcesSocket = None,
    node: SimulatedNodes = None,
    node_count: NodeCount = 0,
    mode: FirstMode = "SPX/NPS1",
    product: ProductName = None,
    gpus: GpuCount = MAX_GPUS,
    faults: Faults = None,
    time_scale: TimeScale = 1.0,
    state_dir: StateDir = None,
    kubelet_plugin: Plugin = None,
    kubelet_root: KubeletRoot = None,
    cdi_dir: CdiFolder = None,
    resource_naming: ResourceNaming = None,
    tokens_dir: TokensDir = None,
    token_file: TokenFile = None,
    system_namespace: SystemNamespace = SYSTEM_NAMESPACE,
    kubeconfig: Annotated[Path | None, typer.Option(help="Kubeconfig file; inside a cluster leave it out.")] = None,
    server: Annotated[str | None, typer.Option(help="URL of the API server, in place of a kubeconfig.")] = None,
    ca_file: Annotated[Path | None, typer.Option(exists=True, help="Its certificate authority, PEM.")] = None,
    bind_host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104
    health_port: HealthPort = 8081,
    metrics_port: MetricsPort = 8443,
    metrics_plain: Annotated[
        bool, typer.Option("--metrics-plain/--metrics-secure", help="Metrics over HTTP, for anybody who asks.")
    ] = False,
    otlp_metrics_endpoint: OtlpMetricsEndpoint = None,
    ports_file: Annotated[Path | None, typer.Option(help="File to write the ports to, as JSON.")] = None,
    heartbeat_seconds: Annotated[
        float, typer.Option(min=0.1, max=20.0, help="Pause between renewals of a node's Lease, which lasts 40 s.")
    ] = INTERVAL_SECONDS,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run the agent of this node, or those of simulated nodes, until told to end."""
    from controller.entrypoints.run_agent import run_agent

    configure_process_logs(log_level)
    given = GivenNodes(node_name, tuple(node or ()), node_count, mode, tokens_dir, token_file)
    try:
        choice = chosen_backend(backend, given)
        _require_fitting(choice, sysfs_root, {"--product": product, "--faults": faults, "--state-dir": state_dir})
        served = nodes(given, choice, gpus)
        kubelets = plugin(GivenPlugin(kubelet_plugin, kubelet_root, cdi_dir, resource_naming), choice, served)
        options = AgentOptions(
            nodes=served,
            connection=connection(GivenServer(kubeconfig, server, ca_file), given),
            backend=choice,
            sysfs_root=sysfs_root or SYSFS,
            product=product or PRODUCT,
            script=_script(faults, {node.name for node in served}),
            time_scale=time_scale,
            state_dir=state_dir,
            pod_resources_socket=_socket(pod_resources_socket, choice, kubelets),
            plugin=kubelets,
            host=bind_host,
            health_port=health_port,
            metrics_port=metrics_port,
            metrics_plain=metrics_plain,
            otlp_metrics_endpoint=otlp_metrics_endpoint,
            ports_file=ports_file,
            heartbeat_seconds=heartbeat_seconds,
            system_namespace=system_namespace,
        )
        _try_simulation(options)
    except (AgentOptionError, ConfigurationError) as error:
        refuse(str(error))
    run_process(
        lambda: run_agent(options),
        [Listening("--health-port", bind_host, health_port), Listening("--metrics-port", bind_host, metrics_port)],
    )


def _require_fitting(choice: BackendChoice, sysfs_root: Path | None, simulated: dict[str, object]) -> None:
    """Raise AgentOptionError for an option that would have no effect with that backend."""
    if choice is BackendChoice.SIMULATED:
        if sysfs_root is not None:
            raise AgentOptionError(f"--sysfs-root {sysfs_root}: simulated GPUs have none; leave it out")
        return
    for option, value in simulated.items():
        if value is not None:
            raise AgentOptionError(f"{option} {value}: is of simulated GPUs, and the backend is {choice}; leave it out")


def _socket(given: Path | None, choice: BackendChoice, kubelets: PluginOptions | None) -> Path | None:
    if given is not None or choice is not BackendChoice.SIMULATED:
        return given or KUBELET_SOCKET
    return kubelet_folder.pod_resources_socket(kubelets.kubelet_root) if kubelets else None


def _script(faults: Path | None, nodes: Collection[str]) -> FaultScript:
    try:
        script = load_script(faults) if faults else NO_FAULTS
        script.require_nodes(nodes)
    except ValueError as error:
        raise AgentOptionError(f"--faults: {error}") from error
    return script


def _try_simulation(options: AgentOptions) -> None:
    """Make a node like each that will be, and drop it: a bad setting is told at once, and not again and again."""
    from controller.entrypoints.agent_backends import simulated_node

    if options.backend is not BackendChoice.SIMULATED:
        return
    for node in options.nodes:
        try:
            simulated_node(node, options, RealClock())
        except (ValueError, BackendError) as error:
            raise AgentOptionError(f"node {node.name!r}: {error}") from error
