"""One resource of the device plugin: what it has, told to the kubelet as it changes, and given to containers."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from controller.agent.kubelet.device_plugin_pb2 import (
    AllocateRequest,
    AllocateResponse,
    ContainerAllocateResponse,
    ContainerPreferredAllocationRequest,
    ContainerPreferredAllocationResponse,
    Device,
    DevicePluginOptions,
    DeviceSpec,
    Empty,
    ListAndWatchResponse,
    PreferredAllocationRequest,
    PreferredAllocationResponse,
)
from controller.agent.kubelet_plugins.device_choice import preferred
from controller.agent.kubelet_plugins.device_environment import device_nodes, environment
from controller.agent.kubelet_plugins.device_lists import PluginDevice
from controller.agent.kubelet_plugins.grpc_service import Service, streaming, unary

SERVICE = "v1beta1.DevicePlugin"
HEALTHY, UNHEALTHY = "Healthy", "Unhealthy"

OPTIONS = DevicePluginOptions(get_preferred_allocation_available=True)

_PERMISSIONS = "rw"


class DeviceEndpoint:
    """The service of `resource`. `watchers`: how many streams of a kubelet are told of changes now."""

    def __init__(self, resource: str, devices: Mapping[str, PluginDevice]) -> None:
        self.resource = resource
        self.watchers = 0
        self._devices = devices
        self._changed = asyncio.Event()

    def update(self, devices: Mapping[str, PluginDevice]) -> None:
        """These are the devices now; whoever watches is told when they differ."""
        if devices == self._devices:
            return
        self._devices = devices
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def service(self) -> Service:
        """What is served on the resource's socket."""
        return Service(
            SERVICE,
            {
                "GetDevicePluginOptions": unary(self._options, Empty, DevicePluginOptions),
                "ListAndWatch": streaming(self._watch, Empty, ListAndWatchResponse),
                "Allocate": unary(self._allocate, AllocateRequest, AllocateResponse),
                "GetPreferredAllocation": unary(self._prefer, PreferredAllocationRequest, PreferredAllocationResponse),
            },
        )

    async def _options(self, _: Empty) -> DevicePluginOptions:
        return OPTIONS

    async def _watch(self, send: Callable[[ListAndWatchResponse], Awaitable[None]]) -> None:
        self.watchers += 1
        try:
            while True:
                changed = self._changed
                await send(ListAndWatchResponse(devices=[_told(device) for device in self._devices.values()]))
                await changed.wait()
        finally:
            self.watchers -= 1

    async def _allocate(self, request: AllocateRequest) -> AllocateResponse:
        """Raises GRPCError for a device that cannot be given: the pod fails, and whoever made it makes another."""
        return AllocateResponse(
            container_responses=[self._given(asked.devices_ids) for asked in request.container_requests]
        )

    async def _prefer(self, request: PreferredAllocationRequest) -> PreferredAllocationResponse:
        return PreferredAllocationResponse(
            container_responses=[self._preferred(asked) for asked in request.container_requests]
        )

    def _given(self, ids: Collection[str]) -> ContainerAllocateResponse:
        devices = sorted((self._usable(one) for one in ids), key=lambda one: one.device.index)
        given = [one.device for one in devices]
        return ContainerAllocateResponse(
            envs=environment(given),
            devices=[
                DeviceSpec(container_path=path, host_path=path, permissions=_PERMISSIONS)
                for path in device_nodes(given, lambda path: Path(path).is_char_device())
            ],
        )

    def _usable(self, device_id: str) -> PluginDevice:
        found = self._devices.get(device_id)
        if found is None:
            raise GRPCError(
                Status.NOT_FOUND,
                f"device {device_id}: {self.resource} has not got it in the node's present modes; create the pod again",
            )
        if not found.healthy:
            raise GRPCError(
                Status.FAILED_PRECONDITION,
                f"device {device_id}: is unhealthy, or its GPU is about to change its mode; create the pod again",
            )
        return found

    def _preferred(self, asked: ContainerPreferredAllocationRequest) -> ContainerPreferredAllocationResponse:
        available = {*asked.available_deviceIDs, *asked.must_include_deviceIDs}
        gpu_of = {one: found.device.gpu.bdf for one in available if (found := self._devices.get(one)) is not None}
        chosen = preferred(gpu_of, asked.must_include_deviceIDs, asked.allocation_size)
        return ContainerPreferredAllocationResponse(deviceIDs=chosen)


def _told(device: PluginDevice) -> Device:
    return Device(ID=device.id, health=HEALTHY if device.healthy else UNHEALTHY)
