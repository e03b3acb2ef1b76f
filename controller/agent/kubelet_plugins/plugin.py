"""What an agent and the plugin that serves its kubelet know of each other."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from controller.agent.backend import BackendError, NodeHardware
from controller.runtime.client.client import Client

KUBELET_ROOT = Path("/var/lib/kubelet")
CDI_FOLDER = Path("/var/run/cdi")
"""Where container runtimes look for devices that come and go."""


@dataclass(frozen=True, slots=True)
class NodeView:
    """The node at this moment. `hardware`: the last reading, None before the first. `problem`: why there is no newer
    one. `changing`: addresses of the GPUs whose devices are withdrawn, because an operation is about to change them.
    """

    hardware: NodeHardware | None = None
    problem: BackendError | None = None
    changing: frozenset[str] = field(default_factory=frozenset)


class PluginHost(Protocol):
    """The agent as its plugin sees it."""

    @property
    def node(self) -> str:
        """The Node's name, which is that of its pool as well."""
        ...

    def view(self) -> NodeView:
        """What the agent knows of the hardware now."""
        ...

    def offer(self) -> None:
        """See to it soon that the node's ResourceSlices are as they should be."""
        ...


class KubeletPlugin(Protocol):
    """Serves one kubelet. `publishes`: devices are offered by ResourceSlices, rather than by the kubelet itself."""

    publishes: bool

    @property
    def registered(self) -> bool:
        """Whether a kubelet knows of it: devices that are offered before that start no container."""
        ...

    def prepared(self) -> frozenset[str]:
        """The devices, by the DRA driver's names, that were given to containers and not taken back."""
        ...

    def problem(self) -> str | None:
        """Why the kubelet is not served, with the remedy; None when it is."""
        ...

    async def run(self) -> None:
        """Serve until cancelled; the sockets are gone afterwards."""
        ...


PluginFactory = Callable[[PluginHost, Client], KubeletPlugin]
"""Makes the plugin of an agent; the client has the rights of its node's agent. Raises OSError for unreadable files."""
