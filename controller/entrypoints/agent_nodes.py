"""Which nodes an agent process serves, out of what its command line says; and as whom it asks the API server."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.entrypoints.agent_options import BackendChoice, NodeOptions
from controller.gpu.mode import Mode, ModeError
from controller.runtime.client.configuration import ClientConfiguration

NUMBERED = "sim-"
"""What the names of simulated nodes begin with that were only counted."""

_NODE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""A DNS-1123 subdomain, as the API server asks of a Node's name."""
_LONGEST_NAME = 253


class AgentOptionError(ValueError):
    """Options that do not go together, or a bad value. The text names option, value and remedy."""


@dataclass(frozen=True, slots=True)
class GivenNodes:
    """What the command line says of nodes. `named`: `NAME=MODE` texts; `count` simulated nodes start in `mode`."""

    node_name: str | None = None
    named: Sequence[str] = ()
    count: int = 0
    mode: str = "SPX/NPS1"
    tokens_dir: Path | None = None
    token_file: Path | None = None

    @property
    def simulated(self) -> bool:
        """Whether it names simulated nodes."""
        return bool(self.named or self.count)


@dataclass(frozen=True, slots=True)
class GivenServer:
    """What the command line says of the API server. Nothing at all: as kubectl, or as a pod."""

    kubeconfig: Path | None = None
    server: str | None = None
    ca_file: Path | None = None


def chosen_backend(asked: BackendChoice | None, given: GivenNodes) -> BackendChoice:
    """What was asked for; else simulated for nodes that can be nothing else, and whatever the host has."""
    if asked is not None:
        return asked
    return BackendChoice.SIMULATED if given.simulated else BackendChoice.AUTO


def nodes(given: GivenNodes, backend: BackendChoice, gpus: int) -> tuple[NodeOptions, ...]:
    """The nodes to serve: the host's own with real GPUs, any number of simulated ones. Raises AgentOptionError."""
    if given.tokens_dir is not None and given.token_file is not None:
        raise AgentOptionError("--tokens-dir and --token-file: give the one that holds the tokens, not both")
    found = _simulated(given, gpus) if backend is BackendChoice.SIMULATED else (_own(given, backend),)
    for node in found:
        _require_name("--node" if node.mode else "--node-name", node.name)
    return found


def connection(given: GivenServer, nodes: GivenNodes) -> ClientConfiguration:
    """How the API server is reached. Raises AgentOptionError and ConfigurationError."""
    if given.server is None:
        if given.ca_file is not None:
            raise AgentOptionError(f"--ca-file {given.ca_file}: goes with --server; a kubeconfig names its own")
        return ClientConfiguration.load(given.kubeconfig)
    if given.kubeconfig is not None:
        raise AgentOptionError(f"--server {given.server}: --kubeconfig names a server too; give one of them")
    if nodes.tokens_dir is None and nodes.token_file is None:
        raise AgentOptionError(f"--server {given.server}: no token for it; give --tokens-dir or --token-file")
    return ClientConfiguration(server=given.server, ca=str(given.ca_file) if given.ca_file else None)


def _require_name(option: str, name: str) -> None:
    if not (_NODE_NAME.fullmatch(name) and len(name) <= _LONGEST_NAME):
        raise AgentOptionError(
            f"{option} {name!r}: no Node is called so: write it as `kubectl get nodes` shows it, at most "
            f"{_LONGEST_NAME} lower-case letters, digits, - and ., a letter or digit at both ends and beside each ."
        )


def _own(given: GivenNodes, backend: BackendChoice) -> NodeOptions:
    if given.simulated:
        option = "--node" if given.named else "--nodes"
        raise AgentOptionError(f"{option}: nodes of real GPUs ({backend}) cannot be made up; give --node-name instead")
    if given.tokens_dir is not None:
        raise AgentOptionError("--tokens-dir: is of simulated nodes; give --token-file, or nothing inside a cluster")
    if not given.node_name:
        raise AgentOptionError(
            f"no node: with real GPUs ({backend}) give --node-name, the Node this runs on; "
            "for simulated ones --node node-0=CPX/NPS4 or --nodes 2"
        )
    return NodeOptions(given.node_name, given.token_file)


def _simulated(given: GivenNodes, gpus: int) -> tuple[NodeOptions, ...]:
    if given.node_name is not None:
        raise AgentOptionError(
            f"--node-name {given.node_name}: is of real GPUs; give --node {given.node_name}=CPX/NPS4"
        )
    modes = _named(given.named)
    for number in range(given.count):
        if (name := f"{NUMBERED}{number}") in modes:
            raise AgentOptionError(f"node {name!r}: --nodes {given.count} has it too; give each node once")
        modes[name] = _mode("--mode", given.mode)
    if not modes:
        raise AgentOptionError("no node: give at least one, such as --node node-0=CPX/NPS4, or --nodes 2")
    if given.token_file is not None and len(modes) > 1:
        raise AgentOptionError(
            f"--token-file {given.token_file}: a token is bound to one node, and these are {len(modes)}; "
            "give --tokens-dir"
        )
    return tuple(NodeOptions(name, _token_file(given, name), mode, gpus) for name, mode in modes.items())


def _named(texts: Sequence[str]) -> dict[str, Mode]:
    modes: dict[str, Mode] = {}
    for text in texts:
        name, separator, mode = text.partition("=")
        if not name or not separator:
            raise AgentOptionError(f"node {text!r}: write NAME=MODE, such as node-0=CPX/NPS4")
        if name in modes:
            raise AgentOptionError(f"node {name!r}: given twice; give each node once")
        modes[name] = _mode(f"node {name!r}", mode)
    return modes


def _mode(where: str, text: str) -> Mode:
    try:
        return Mode.parse(text)
    except ModeError as error:
        raise AgentOptionError(f"{where}: {error}") from error


def _token_file(given: GivenNodes, name: str) -> Path | None:
    return given.tokens_dir / name if given.tokens_dir else given.token_file
