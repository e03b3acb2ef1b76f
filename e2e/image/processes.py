"""What is started of an image to see that it works: every command's help, and every process without a cluster. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from controller.entrypoints.main import AT_ONCE, AT_ONCE_IN_A_GROUP, VERBS

KUBECONFIG: Final = """\
apiVersion: v1
kind: Config
clusters: [{name: nobody, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: nobody, user: {token: none}}]
contexts: [{name: nobody, context: {cluster: nobody, user: nobody}}]
current-context: nobody
"""
"""Of an API server that nobody answers for."""

KUBECONFIG_PATH: Final = "/tmp/kubeconfig"  # within the image, where every pod has an emptyDir
_FIRST_PORT: Final = 8100
_OWN_OPTIONS: Final = {
    "agent": ("--node", "sim-0=SPX/NPS1"),
    "exporter": (),
    "gateway": ("--insecure-http", "--port", "8001"),
    "operator": ("--webhook-port", "9001"),
    "ui-server": ("--insecure-http", "--port", "8002"),
}


@dataclass(frozen=True, slots=True)
class Process:
    """The words of a process that stays, and the port of its health."""

    words: tuple[str, ...]
    health_port: int


def helps() -> list[tuple[str, ...]]:
    """The command line of each command's help, the whole program's first."""
    commands = [(), *((verb,) for verb in (*AT_ONCE, *VERBS)), *AT_ONCE_IN_A_GROUP]
    return [(*command, "--help") for command in commands]


def process_verbs() -> list[str]:
    """The verbs that run until they are told to end."""
    return sorted(verb for verb, module in VERBS.items() if module.startswith("controller.entrypoints."))


def processes(verbs: Sequence[str]) -> list[Process]:
    """How to start each, with ports of its own. Raises KeyError for one of which that is not known."""
    found = []
    for index, verb in enumerate(verbs):
        health, metrics = _FIRST_PORT + 2 * index, _FIRST_PORT + 2 * index + 1
        ports = ("--health-port", str(health), "--metrics-port", str(metrics))
        found.append(Process((verb, "--kubeconfig", KUBECONFIG_PATH, *ports, *_OWN_OPTIONS[verb]), health))
    return found
