"""The kubelet's calls of a DRA driver. Each claim of a request is answered for itself, with what is wrong with it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import structlog

from controller.agent.kubelet.dra_pb2 import (
    Claim,
    Device,
    NodePrepareResourceResponse,
    NodePrepareResourcesRequest,
    NodePrepareResourcesResponse,
    NodeUnprepareResourceResponse,
    NodeUnprepareResourcesRequest,
    NodeUnprepareResourcesResponse,
)
from controller.agent.kubelet_plugins.cdi_spec import device_id
from controller.agent.kubelet_plugins.claim_devices import GivenDevice, PrepareRefused
from controller.agent.kubelet_plugins.claim_preparation import AskedClaim, ClaimPreparation
from controller.agent.kubelet_plugins.grpc_service import Service, unary

SERVICE = "k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin"

_AT_ONCE = 32
_Answer = TypeVar("_Answer")


class DraService:
    """Asks `claims` for what the kubelet asks for."""

    def __init__(self, claims: ClaimPreparation, node: str) -> None:
        self._claims = claims
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._log = structlog.get_logger(__name__).bind(node=node)

    def service(self) -> Service:
        """What is served on the driver's socket."""
        return Service(
            SERVICE,
            {
                "NodePrepareResources": unary(self._prepare, NodePrepareResourcesRequest, NodePrepareResourcesResponse),
                "NodeUnprepareResources": unary(
                    self._unprepare, NodeUnprepareResourcesRequest, NodeUnprepareResourcesResponse
                ),
            },
        )

    async def _prepare(self, request: NodePrepareResourcesRequest) -> NodePrepareResourcesResponse:
        return NodePrepareResourcesResponse(claims=await self._each(request.claims, self._prepare_one))

    async def _unprepare(self, request: NodeUnprepareResourcesRequest) -> NodeUnprepareResourcesResponse:
        return NodeUnprepareResourcesResponse(claims=await self._each(request.claims, self._unprepare_one))

    async def _each(self, claims: Iterable[Claim], answer: Callable[[Claim], Awaitable[_Answer]]) -> dict[str, _Answer]:
        async def in_turn(claim: Claim) -> _Answer:
            async with self._places:
                return await answer(claim)

        async with asyncio.TaskGroup() as tasks:
            asked = {claim.uid: tasks.create_task(in_turn(claim)) for claim in claims}
        return {uid: task.result() for uid, task in asked.items()}

    async def _prepare_one(self, claim: Claim) -> NodePrepareResourceResponse:
        asked = AskedClaim(claim.namespace, claim.name, claim.uid)
        try:
            given = await self._claims.prepare(asked)
        except PrepareRefused as refusal:
            self._log.warning("claim not prepared", claim=f"{claim.namespace}/{claim.name}", reason=str(refusal))
            return NodePrepareResourceResponse(error=str(refusal))
        return NodePrepareResourceResponse(devices=[_device(claim.uid, one) for one in given])

    async def _unprepare_one(self, claim: Claim) -> NodeUnprepareResourceResponse:
        try:
            await self._claims.unprepare(claim.uid)
        except PrepareRefused as refusal:
            self._log.warning("claim not unprepared", claim=f"{claim.namespace}/{claim.name}", reason=str(refusal))
            return NodeUnprepareResourceResponse(error=str(refusal))
        return NodeUnprepareResourceResponse()


def _device(uid: str, given: GivenDevice) -> Device:
    return Device(
        request_names=[given.request],
        pool_name=given.pool,
        device_name=given.device.name,
        cdi_device_ids=[device_id(uid, given.device.name)],
        share_id=given.share_id or None,
    )
