"""AMD's device plugin on a simulated node: a socket for each resource, registered with the kubelet that is there now.

A kubelet that starts clears its folder of plugins' sockets and makes its own anew; it knows of nothing then. So its
socket is looked at once a second. Resources stay once they are there, without devices when their mode is gone.
"""

from contextlib import AsyncExitStack
from pathlib import Path

import structlog
from google.protobuf.message import DecodeError
from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError

from controller.agent.kubelet.device_plugin_pb2 import Empty, RegisterRequest
from controller.agent.kubelet_plugins.device_endpoint import OPTIONS, DeviceEndpoint
from controller.agent.kubelet_plugins.device_lists import DeviceLists, device_lists
from controller.agent.kubelet_plugins.kubelet_folder import kubelet_socket, resource_socket
from controller.agent.kubelet_plugins.plugin import PluginHost
from controller.agent.kubelet_plugins.socket_server import SocketIdentity, SocketServer, identity
from controller.binding.device_plugin import Naming
from controller.runtime.clock import Clock

VERSION = "v1beta1"
REGISTER_METHOD = "/v1beta1.Registration/Register"
LOOK_SECONDS = 0.5
"""Between two looks at the node and at the kubelet's socket: less than an operation waits for withdrawn devices."""
WATCHED_SECONDS = 5.0
"""How long a kubelet may take to watch a resource that it has taken, and to come back to one that it has left."""

_LIMIT_SECONDS = 5.0


class _Resource:
    """A resource that is served, and what the kubelet knows of it."""

    def __init__(self, endpoint: DeviceEndpoint, path: Path) -> None:
        self.endpoint = endpoint
        self.path = path
        self.server: SocketServer | None = None
        self._stack = AsyncExitStack()
        self.taken_by: SocketIdentity | None = None
        self.watched_at = 0.0

    async def serve(self) -> None:
        """Listen anew; no kubelet knows of that. Raises OSError."""
        await self.close()
        self.server = await self._stack.enter_async_context(SocketServer(self.path, [self.endpoint.service()]))

    async def close(self) -> None:
        self.taken_by, self.server = None, None
        await self._stack.aclose()

    def known_to(self, kubelet: SocketIdentity, now: float) -> bool:
        """Whether that kubelet watches it, or has only just been told of it."""
        if self.endpoint.watchers:
            self.watched_at = now
        return self.taken_by == kubelet and now - self.watched_at < WATCHED_SECONDS


class DevicePlugin:
    """The plugin of one node. `root`: the kubelet's folder."""

    publishes = False

    def __init__(self, host: PluginHost, root: Path, naming: Naming, clock: Clock) -> None:
        self._host = host
        self._root = root
        self._naming = naming
        self._clock = clock
        self._resources: dict[str, _Resource] = {}
        self._failure = ""
        self._log = structlog.get_logger(__name__).bind(node=host.node)

    @property
    def registered(self) -> bool:
        """Whether the kubelet has taken every resource."""
        return bool(self._resources) and all(one.taken_by is not None for one in self._resources.values())

    def prepared(self) -> frozenset[str]:
        """Nothing that is taken back is told of: what was given, the kubelet's PodResources tell."""
        return frozenset()

    def problem(self) -> str | None:
        """Why the kubelet is not served."""
        if self._failure:
            return self._failure
        return None if self.registered else "the device plugin has registered nothing with the kubelet yet"

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            while True:
                await self._look()
                await self._clock.sleep(LOOK_SECONDS)
        finally:
            for resource in self._resources.values():
                await resource.close()

    async def _look(self) -> None:
        lists = device_lists(self._host.view(), self._naming)
        for name in sorted(lists.keys() - self._resources.keys()):
            self._resources[name] = _Resource(DeviceEndpoint(name, lists[name]), resource_socket(self._root, name))
        kubelet = identity(kubelet_socket(self._root))
        failure = self._nothing_to_advertise(lists)
        if kubelet is None:
            failure = f"no kubelet at {kubelet_socket(self._root)}; see that it runs, with that folder"
        for name, resource in self._resources.items():
            resource.endpoint.update(lists.get(name, {}))
            failure = await self._keep(resource, kubelet) or failure
        if failure and failure != self._failure:
            self._log.warning("device plugin not served", reason=failure)
        self._failure = failure

    def _nothing_to_advertise(self, lists: DeviceLists) -> str:
        if lists or self._host.view().hardware is None:
            return ""
        if self._naming is Naming.SINGLE:
            return "the node's GPUs are in several modes, or in none that can be read; name resources by their mode"
        return "no GPU's mode can be read; see the GPUNode's condition Ready"

    async def _keep(self, resource: _Resource, kubelet: SocketIdentity | None) -> str:
        """See to it that the kubelet knows of the resource; why it does not, "" when it does."""
        try:
            if resource.server is None or resource.server.gone():
                await resource.serve()
            if resource.server is not None and not resource.server.intact():
                resource.taken_by = None
                return f"{resource.endpoint.resource}: another agent serves it at {resource.path}; end one of them"
            if kubelet is None:
                resource.taken_by = None
            elif not resource.known_to(kubelet, self._clock.monotonic()):
                resource.taken_by = None
                await self._register(resource, kubelet)
        except GRPCError as error:
            return f"{resource.endpoint.resource}: the kubelet refused it ({error.status.name}: {error.message})"
        except TimeoutError:
            return f"{resource.endpoint.resource}: the kubelet did not answer within {_LIMIT_SECONDS:g} s"
        except (OSError, ProtocolError, StreamTerminatedError, DecodeError) as error:
            return f"{resource.endpoint.resource}: {type(error).__name__}: {error}"
        return ""

    async def _register(self, resource: _Resource, kubelet: SocketIdentity) -> None:
        request = RegisterRequest(
            version=VERSION, endpoint=resource.path.name, resource_name=resource.endpoint.resource, options=OPTIONS
        )
        async with Channel(path=str(kubelet_socket(self._root))) as channel:
            await UnaryUnaryMethod(channel, REGISTER_METHOD, RegisterRequest, Empty)(request, timeout=_LIMIT_SECONDS)
        resource.taken_by, resource.watched_at = kubelet, self._clock.monotonic()
        self._log.info("registered with the kubelet", resource=resource.endpoint.resource)
