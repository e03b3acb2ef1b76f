"""A kubelet's PodResources server on a unix socket, of real gRPC: it tells what the test put into it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import grpc

from controller.agent.kubelet.pod_resources_pb2 import (
    CDIDevice,
    ClaimResource,
    ContainerDevices,
    ContainerResources,
    DynamicResource,
    ListPodResourcesRequest,
    ListPodResourcesResponse,
    PodResources,
)


class FakeKubelet:
    """Serves `pods` while entered. `refusal`: a status that List answers instead; `silent`: it answers nothing."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.pods: list[PodResources] = []
        self.refusal: grpc.StatusCode | None = None
        self.silent = False
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> Self:
        handlers = {
            "List": grpc.unary_unary_rpc_method_handler(
                self._list,
                request_deserializer=ListPodResourcesRequest.FromString,
                response_serializer=ListPodResourcesResponse.SerializeToString,
            )
        }
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("v1.PodResourcesLister", handlers)])
        self._server.add_insecure_port(f"unix:{self.socket}")
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        await self._server.stop(None)
        self._server = None

    async def _list(self, _request: ListPodResourcesRequest, context: Any) -> ListPodResourcesResponse:
        if self.silent:
            await asyncio.Event().wait()
        if self.refusal is not None:
            await context.abort(self.refusal, "not here")
        return ListPodResourcesResponse(pod_resources=self.pods)


def pod(name: str, *containers: ContainerResources, namespace: str = "team") -> PodResources:
    """A pod as the kubelet lists it."""
    return PodResources(name=name, namespace=namespace, containers=containers)


def plugged(container: str, resource: str, *ids: str) -> ContainerResources:
    """A container with devices of a device plugin. The kubelet lists each NUMA node's devices by themselves."""
    devices = [ContainerDevices(resource_name=resource, device_ids=[device]) for device in ids]
    return ContainerResources(name=container, devices=devices, cpu_ids=[0, 1])


def claimed(container: str, devices: Sequence[str], driver: str = "gpu.amd.com") -> ContainerResources:
    """A container with devices of one claim of a DRA driver."""
    resources = [
        ClaimResource(driver_name=driver, pool_name="node-0", device_name=name, cdi_devices=[CDIDevice(name=name)])
        for name in devices
    ]
    dynamic = DynamicResource(claim_name="held", claim_namespace="team", claim_resources=resources)
    return ContainerResources(name=container, dynamic_resources=[dynamic])
