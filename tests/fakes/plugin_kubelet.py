"""The side of a kubelet that plugins see, of real gRPC: it finds a DRA driver, and takes registrations of resources."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import grpc
from google.protobuf.message import Message

from controller.agent.kubelet.device_plugin_pb2 import (
    AllocateRequest,
    AllocateResponse,
    ContainerAllocateRequest,
    ContainerPreferredAllocationRequest,
    DevicePluginOptions,
    Empty,
    ListAndWatchResponse,
    PreferredAllocationRequest,
    PreferredAllocationResponse,
    RegisterRequest,
)
from controller.agent.kubelet.dra_pb2 import (
    Claim,
    NodePrepareResourceResponse,
    NodePrepareResourcesRequest,
    NodePrepareResourcesResponse,
    NodeUnprepareResourcesRequest,
    NodeUnprepareResourcesResponse,
)
from controller.agent.kubelet.plugin_registration_pb2 import (
    InfoRequest,
    PluginInfo,
    RegistrationStatus,
    RegistrationStatusResponse,
)
from controller.agent.kubelet_plugins.kubelet_folder import kubelet_socket, registration_socket

DRA = "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin"
CALL_SECONDS = 45.0
"""How long a kubelet waits for a driver."""

Reply = TypeVar("Reply", bound=Message)


async def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for what happens on the other side of a socket."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the other end is a server
            await asyncio.sleep(0.005)


def claim(name: str, uid: str = "", namespace: str = "team") -> Claim:
    """A claim as the kubelet names it."""
    return Claim(namespace=namespace, name=name, uid=uid or f"uid-{name}")


class DraDriver:
    """A DRA driver that a kubelet has found. `info`: who it says it is."""

    def __init__(self, info: PluginInfo, channel: grpc.aio.Channel) -> None:
        self.info = info
        self._channel = channel

    async def prepare(self, *claims: Claim) -> dict[str, NodePrepareResourceResponse]:
        """Ask for all of them at once, as for one pod; answers by uid."""
        request = NodePrepareResourcesRequest(claims=claims)
        return dict((await self._call("NodePrepareResources", request, NodePrepareResourcesResponse)).claims)

    async def unprepare(self, *claims: Claim) -> dict[str, str]:
        """Take them back; errors by uid, "" for none."""
        request = NodeUnprepareResourcesRequest(claims=claims)
        answer = await self._call("NodeUnprepareResources", request, NodeUnprepareResourcesResponse)
        return {uid: one.error for uid, one in answer.claims.items()}

    async def _call(self, method: str, request: Message, reply_type: type[Reply]) -> Reply:
        return await ask(self._channel, f"{DRA}/{method}", request, reply_type, CALL_SECONDS)


@asynccontextmanager
async def registered(root: Path, *, refusal: str = "") -> AsyncIterator[DraDriver]:
    """A kubelet that comes up in `root`: finds the driver, takes it (or refuses it), and stays connected to it."""
    async with grpc.aio.insecure_channel(f"unix:{registration_socket(root)}") as channel:
        info = await ask(channel, "/pluginregistration.Registration/GetInfo", InfoRequest(), PluginInfo, 30.0)
        status = RegistrationStatus(plugin_registered=not refusal, error=refusal)
        path = "/pluginregistration.Registration/NotifyRegistrationStatus"
        await ask(channel, path, status, RegistrationStatusResponse, 30.0)
    async with grpc.aio.insecure_channel(f"unix:{info.endpoint}") as channel:
        yield DraDriver(info, channel)


class DeviceManager:
    """The kubelet's half of device plugins while entered. `devices`: health by id, by resource that registered.

    `clears`: it removes plugins' sockets when it starts, as kubelets do.
    """

    def __init__(self, root: Path, *, clears: bool = True) -> None:
        self._clears = clears
        self._socket = kubelet_socket(root)
        self.devices: dict[str, dict[str, str]] = {}
        self.requests: list[RegisterRequest] = []
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._watches: dict[str, Any] = {}
        self._tasks: asyncio.TaskGroup
        self._server: grpc.aio.Server
        self.refusal: grpc.StatusCode | None = None

    async def __aenter__(self) -> Self:
        self._socket.parent.mkdir(parents=True, exist_ok=True)
        for left in self._socket.parent.iterdir() if self._clears else ():
            left.unlink()
        self._tasks = await asyncio.TaskGroup().__aenter__()
        handler = grpc.unary_unary_rpc_method_handler(
            self._register, RegisterRequest.FromString, Empty.SerializeToString
        )
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("v1beta1.Registration", {"Register": handler})]
        )
        self._server.add_insecure_port(f"unix:{self._socket}")
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)
        for resource in list(self._watches):
            self.leave(resource)
        for channel in self._channels.values():
            await channel.close()
        await self._tasks.__aexit__(None, None, None)

    def allocatable(self) -> dict[str, int]:
        """How many healthy devices each resource has."""
        return {name: list(found.values()).count("Healthy") for name, found in self.devices.items()}

    def leave(self, resource: str) -> None:
        """Stop watching a resource, as a kubelet does that has had enough of its plugin."""
        self._watches.pop(resource).cancel()

    async def allocate(self, resource: str, *devices: str) -> AllocateResponse:
        """Devices for one container."""
        request = AllocateRequest(container_requests=[ContainerAllocateRequest(devices_ids=devices)])
        return await self._call(resource, "Allocate", request, AllocateResponse)

    async def prefer(self, resource: str, available: Iterable[str], must: Iterable[str], size: int) -> list[str]:
        """Which devices the plugin would give."""
        asked = ContainerPreferredAllocationRequest(
            available_deviceIDs=available, must_include_deviceIDs=must, allocation_size=size
        )
        request = PreferredAllocationRequest(container_requests=[asked])
        answer = await self._call(resource, "GetPreferredAllocation", request, PreferredAllocationResponse)
        return list(answer.container_responses[0].deviceIDs)

    async def options(self, resource: str) -> DevicePluginOptions:
        """What the plugin can do."""
        return await self._call(resource, "GetDevicePluginOptions", Empty(), DevicePluginOptions)

    async def _call(self, resource: str, method: str, request: Message, reply_type: type[Reply]) -> Reply:
        return await ask(self._channels[resource], f"/v1beta1.DevicePlugin/{method}", request, reply_type, 30.0)

    async def _register(self, request: RegisterRequest, context: Any) -> Empty:
        if self.refusal is not None:
            await context.abort(self.refusal, "not today")
        self.requests.append(request)
        channel = grpc.aio.insecure_channel(f"unix:{self._socket.parent / request.endpoint}")
        self._channels[request.resource_name] = channel
        method = channel.unary_stream(
            "/v1beta1.DevicePlugin/ListAndWatch",
            request_serializer=Empty.SerializeToString,
            response_deserializer=ListAndWatchResponse.FromString,
        )
        watch = self._watches[request.resource_name] = method(Empty())
        self._tasks.create_task(self._follow(request.resource_name, watch))
        return Empty()

    async def _follow(self, resource: str, watch: Any) -> None:
        try:
            async for told in watch:
                self.devices[resource] = {device.ID: device.health for device in told.devices}
        except (grpc.aio.AioRpcError, asyncio.CancelledError):
            self.devices[resource] = {}


def ask(
    channel: grpc.aio.Channel, path: str, request: Message, reply_type: type[Reply], seconds: float
) -> Awaitable[Reply]:
    """One call. Raises grpc.aio.AioRpcError."""
    method = channel.unary_unary(
        path, request_serializer=type(request).SerializeToString, response_deserializer=reply_type.FromString
    )
    answer: Awaitable[Reply] = method(request, timeout=seconds, wait_for_ready=True)
    return answer
