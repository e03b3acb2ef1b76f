"""What the kubelet gave to which container, read from its PodResources API (gRPC on a unix socket, version v1).

This is the kubelet's own word: what a device plugin's allocation came to, which the API server never learns. Asked by
grpclib: grpcio's core would be a sixth of an agent's memory.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import structlog
from google.protobuf.message import DecodeError
from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError

from api.v1beta1.gpu_node import AssignedDevice
from controller.agent.backend import NodeHardware
from controller.agent.device_ids import DeviceIds
from controller.agent.kubelet.pod_resources_pb2 import (
    ContainerResources,
    ListPodResourcesRequest,
    ListPodResourcesResponse,
)
from controller.binding.dra import DRIVER

LIMIT_SECONDS = 5.0
LIST_METHOD = "/v1.PodResourcesLister/List"

_RESOURCE_PREFIX = "amd.com/"
_MAX_DEVICES = 1024

PlatformMinors = Callable[[NodeHardware], Mapping[str, int]]
"""Render minors by the names of platform devices, for hardware as it was read."""


class PodResources:
    """Asks one kubelet. `platform_minors` tells which render node a platform device has."""

    def __init__(self, socket: Path, platform_minors: PlatformMinors, *, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._socket = socket
        self._platform_minors = platform_minors
        self._limit_seconds = limit_seconds
        self._log = structlog.get_logger(__name__).bind(socket=str(socket))
        self._silence = ""

    async def assigned(self, hardware: NodeHardware) -> tuple[AssignedDevice, ...] | None:
        """AMD's devices of every container, ordered by pod and device; None where the kubelet does not answer."""
        if not self._socket.is_socket():
            self._note("there is no socket: the kubelet does not run, or its folder is not mounted")
            return None
        try:
            answer = await self._list()
        except GRPCError as error:
            self._note(f"{error.status.name}: {error.message}")
            return None
        except TimeoutError:
            self._note(f"no answer within {self._limit_seconds:g} s")
            return None
        except (OSError, ProtocolError, StreamTerminatedError, DecodeError) as error:
            self._note(f"{type(error).__name__}: {error}")
            return None
        self._silence = ""
        return assigned_devices(answer, DeviceIds(hardware, self._platform_minors(hardware)))

    async def _list(self) -> ListPodResourcesResponse:
        # a channel a call: kubelets restart, and a connection that was left may be to one that is gone
        async with Channel(path=str(self._socket)) as channel:
            ask = UnaryUnaryMethod(channel, LIST_METHOD, ListPodResourcesRequest, ListPodResourcesResponse)
            return await ask(ListPodResourcesRequest(), timeout=self._limit_seconds)

    def _note(self, why: str) -> None:
        """Log why there is no answer, once for each reason."""
        if why != self._silence:
            self._log.warning("the kubelet does not tell what it gave to whom", reason=why)
        self._silence = why


def assigned_devices(answer: ListPodResourcesResponse, ids: DeviceIds) -> tuple[AssignedDevice, ...]:
    """The answer's devices of AMD's plugins and driver, with the partitions they are."""
    found = []
    for pod in answer.pod_resources:
        for container in pod.containers:
            for resource, device in _devices(container):
                partition = ids.partition(device)
                found.append(
                    AssignedDevice(
                        namespace=pod.namespace,
                        pod=pod.name,
                        container=container.name,
                        resource=resource,
                        device=device,
                        bdf=partition.bdf if partition else None,
                        partition=partition.index if partition else None,
                    )
                )
    found.sort(key=lambda one: (one.namespace, one.pod, one.container, one.resource, one.device))
    return tuple(found[:_MAX_DEVICES])


def _devices(container: ContainerResources) -> Iterator[tuple[str, str]]:
    """(resource, device) of each AMD device that a container has."""
    for devices in container.devices:
        if devices.resource_name.startswith(_RESOURCE_PREFIX):
            yield from ((devices.resource_name, device) for device in devices.device_ids)
    for dynamic in container.dynamic_resources:
        for claimed in dynamic.claim_resources:
            if claimed.driver_name == DRIVER:
                yield DRIVER, claimed.device_name
