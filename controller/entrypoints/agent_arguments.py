"""The options of `aim-gpu agent` that say which GPUs it serves, and as whom."""

from pathlib import Path
from typing import Annotated

import typer

from controller.agent.kubelet_plugins.plugin import CDI_FOLDER, KUBELET_ROOT
from controller.agent.simulated_seed import MAX_GPUS, PRODUCT
from controller.binding.device_plugin import Naming
from controller.entrypoints.agent_options import KUBELET_SOCKET, SYSFS, BackendChoice, PluginKind

# Real GPUs ------------------------------------------------------------------------------------------------------------

NodeName = Annotated[str | None, typer.Option(help="The Node this runs on, whose real GPUs it serves.")]
Backend = Annotated[
    BackendChoice | None,
    typer.Option(
        help="How GPUs are reached; auto: amdsmi, or sysfs (which changes nothing) where its library is missing. "
        "Default: auto, and simulated where --node or --nodes is given."
    ),
]
SysfsRoot = Annotated[
    Path | None, typer.Option(exists=True, file_okay=False, help=f"The host's /sys; default: {SYSFS}.")
]
PodResourcesSocket = Annotated[
    Path | None,
    typer.Option(
        help="Where the kubelet tells what it gave to whom; {node} stands for the node's name. Default with real GPUs: "
        f"{KUBELET_SOCKET}; with simulated ones nobody is asked, or with --kubelet-plugin the kubelet that is served."
    ),
]

# Simulated GPUs -------------------------------------------------------------------------------------------------------

SimulatedNodes = Annotated[
    list[str] | None, typer.Option(help="A simulated node, NAME=MODE such as node-0=CPX/NPS4. Repeatable.")
]
NodeCount = Annotated[
    int, typer.Option("--nodes", min=0, max=10_000, help="So many simulated nodes: sim-0, sim-1 and so on.")
]
FirstMode = Annotated[str, typer.Option(help="The mode in which the nodes of --nodes start.")]
ProductName = Annotated[str | None, typer.Option(help=f"What simulated GPUs are; default: {PRODUCT}.")]
GpuCount = Annotated[int, typer.Option(min=1, max=MAX_GPUS, help="GPUs of each simulated node.")]
Faults = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="What befalls simulated GPUs, a JSON file.")
]
TimeScale = Annotated[
    float, typer.Option(min=0.0, help="1: simulated mode changes take as long as on hardware; 0: no time.")
]
StateDir = Annotated[Path | None, typer.Option(help="Keeps the simulated GPUs' modes over restarts.")]

# The kubelet of simulated GPUs ----------------------------------------------------------------------------------------

Plugin = Annotated[
    PluginKind | None,
    typer.Option(
        "--kubelet-plugin",
        help="Serve the node's kubelet with simulated GPUs as AMD's DRA driver, or AMD's device plugin, does with real "
        "ones; default: no kubelet is served.",
    ),
]
KubeletRoot = Annotated[
    Path | None,
    typer.Option(help=f"The kubelet's folder; {{node}} stands for the node's name. Default: {KUBELET_ROOT}."),
]
CdiFolder = Annotated[
    Path | None,
    typer.Option("--cdi-dir", help=f"Where containers' runtime looks for DRA's devices. Default: {CDI_FOLDER}."),
]
ResourceNaming = Annotated[
    Naming | None,
    typer.Option(help="How the device plugin names them: single, amd.com/gpu (default), or mixed, by their mode."),
]

# As whom --------------------------------------------------------------------------------------------------------------

TokensDir = Annotated[
    Path | None, typer.Option(exists=True, file_okay=False, help="Holds each node's token, in a file of its name.")
]
SystemNamespace = Annotated[str, typer.Option(help="Namespace of the nodes' Leases: the operator's own.")]
TokenFile = Annotated[
    Path | None, typer.Option(help="The token of the one node; default: that of the kubeconfig, or of the pod.")
]
