"""How a plugin makes itself known: the kubelet finds its socket, asks who it is, and says what became of it."""

from collections.abc import Callable
from pathlib import Path

import structlog

from controller.agent.kubelet.plugin_registration_pb2 import (
    InfoRequest,
    PluginInfo,
    RegistrationStatus,
    RegistrationStatusResponse,
)
from controller.agent.kubelet_plugins.grpc_service import Service, unary
from controller.binding.dra import DRIVER

TYPE = "DRAPlugin"
VERSIONS = ("v1.DRAPlugin",)


class Registration:
    """Answers for the plugin that listens at `endpoint`, a path as the kubelet sees it.

    `registered` is called whenever a kubelet has taken it, which a restarted one does again. `refusal`: why the last
    kubelet that asked has not; "" when it has, or none has asked.
    """

    def __init__(self, endpoint: Path, registered: Callable[[], None]) -> None:
        self._endpoint = endpoint
        self._registered = registered
        self.refusal = ""
        self._log = structlog.get_logger(__name__).bind(driver=DRIVER)

    def service(self) -> Service:
        """What is served on the socket that the kubelet finds."""
        return Service(
            "pluginregistration.Registration",
            {
                "GetInfo": unary(self._info, InfoRequest, PluginInfo),
                "NotifyRegistrationStatus": unary(self._notify, RegistrationStatus, RegistrationStatusResponse),
            },
        )

    async def _info(self, _: InfoRequest) -> PluginInfo:
        return PluginInfo(type=TYPE, name=DRIVER, endpoint=str(self._endpoint), supported_versions=VERSIONS)

    async def _notify(self, status: RegistrationStatus) -> RegistrationStatusResponse:
        if status.plugin_registered:
            self.refusal = ""
            self._log.info("registered with the kubelet")
            self._registered()
        else:
            self.refusal = status.error or "no reason given"
            self._log.error("refused by the kubelet", reason=self.refusal)
        return RegistrationStatusResponse()
