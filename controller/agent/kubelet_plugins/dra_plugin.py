"""AMD's DRA driver on a simulated node: registers with the kubelet, and prepares claims for containers.

    plugins/gpu.amd.com/dra.sock, then plugins_registry/gpu.amd.com-reg.sock -> registered -> slices are published

A kubelet deletes the node's slices when it starts, and 30 s after it has lost the driver: they are looked at again for
a while after each registration. Devices that are offered while no kubelet knows of the driver would start no container.
"""

import asyncio
from pathlib import Path

import structlog

from controller.agent.kubelet_plugins.cdi_folder import CdiFolder
from controller.agent.kubelet_plugins.claim_preparation import ClaimPreparation
from controller.agent.kubelet_plugins.dra_service import DraService
from controller.agent.kubelet_plugins.kubelet_folder import driver_socket, registration_socket
from controller.agent.kubelet_plugins.plugin import PluginHost
from controller.agent.kubelet_plugins.registration import Registration
from controller.agent.kubelet_plugins.socket_server import SocketServer
from controller.binding.dra import DRIVER
from controller.runtime.client.client import Client
from controller.runtime.clock import Clock

LOOK_SECONDS = 1.0
OFFER_SECONDS = 10.0
"""How long after a registration the slices are looked at once a second: the kubelet deletes them when it can."""

_RETRY_SECONDS = 5.0


class DraPlugin:
    """The driver of one node. `root`: the kubelet's folder. Raises OSError when the files in `cdi` cannot be read."""

    publishes = True

    def __init__(self, host: PluginHost, client: Client, root: Path, cdi: Path, clock: Clock) -> None:
        self._host = host
        self._root = root
        self._clock = clock
        self._claims = ClaimPreparation(host.node, client, host.view, CdiFolder(cdi, host.node), clock)
        self._claims.load()
        self._service = DraService(self._claims, host.node)
        self._registration = Registration(driver_socket(root), self._on_registered)
        self._registered = asyncio.Event()
        self._offer_until = 0.0
        self._failure = ""
        self._log = structlog.get_logger(__name__).bind(node=host.node)

    @property
    def registered(self) -> bool:
        """Whether a kubelet has taken the driver since its sockets were made, and nobody else's came in their place."""
        return self._registered.is_set()

    def prepared(self) -> frozenset[str]:
        """The devices that are prepared for claims."""
        return self._claims.devices()

    def problem(self) -> str | None:
        """Why the kubelet is not served."""
        if self._failure:
            return self._failure
        if self._registration.refusal:
            return f"the kubelet refused DRA driver {DRIVER} ({self._registration.refusal}); stop another of that name"
        if not self.registered:
            path = registration_socket(self._root)
            return f"no kubelet has registered DRA driver {DRIVER} at {path}; see that it runs, with that folder"
        return None

    async def run(self) -> None:
        """Serve until cancelled; sockets that somebody cleared away are made again."""
        while True:
            try:
                await self._serve()
            except OSError as error:
                self._failure = f"sockets of DRA driver {DRIVER}: {error}; make {self._root} writable for the agent"
                self._log.error("DRA driver not served", error=str(error), retry_seconds=_RETRY_SECONDS)
                await self._clock.sleep(_RETRY_SECONDS)
            finally:
                self._registered.clear()

    async def _serve(self) -> None:
        self._claims.load()  # another may have served meanwhile
        # the kubelet connects to the first as soon as it sees the second
        async with (
            SocketServer(driver_socket(self._root), [self._service.service()]) as driver,
            SocketServer(registration_socket(self._root), [self._registration.service()]) as registration,
        ):
            while not (driver.gone() or registration.gone()):
                self._look(ours=driver.intact() and registration.intact())
                await self._clock.sleep(LOOK_SECONDS)
        self._log.warning("sockets of the DRA driver are gone: made again")

    def _look(self, *, ours: bool) -> None:
        if not ours:
            self._registered.clear()
            self._failure = f"another agent serves DRA driver {DRIVER} in {self._root}; end one of them"
            return
        self._failure = ""
        if self._registered.is_set() and self._clock.monotonic() < self._offer_until:
            self._host.offer()

    def _on_registered(self) -> None:
        self._registered.set()
        self._offer_until = self._clock.monotonic() + OFFER_SECONDS
        self._host.offer()
