"""The InferenceService reconciler: applies the backend, gathers what became of it, writes a status that differs."""

from dataclasses import dataclass

from api.group import SERVICE_LABEL
from api.object import dump
from api.v1beta1 import GPUPartitionClaim, InferenceService
from controller.reconcilers.gpu_partition_claim.admit import FIELD_OF
from controller.reconcilers.inference_service.backend import DEFAULT_IMAGE, deployment_for, service_for
from controller.reconcilers.inference_service.status import Gathered, Refusal, status_of
from controller.runtime.client.client import Client
from controller.runtime.client.core import DEPLOYMENTS, SERVICES
from controller.runtime.client.errors import Conflict, Forbidden, Invalid, NotFound
from controller.runtime.client.resource import Resource
from controller.runtime.clock import Clock
from controller.runtime.reconcile import Request, Result
from controller.sizing.errors import SizingError
from controller.sizing.precision import Precision
from controller.sizing.requirement import ModelSizingConfig, Sizing, SizingRequest
from controller.state.cluster import Cluster
from controller.state.kinds import INFERENCE_SERVICES

MANAGER = "aim-gpu-operator"
#: A service that moved on under us is looked at again after this many seconds.
SOON_SECONDS = 0.2
#: A backend that was refused is applied again after this many seconds: names and quotas free up without an event.
TRY_AGAIN_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """The collaborators of the reconciler."""

    client: Client
    cluster: Cluster
    sizing: ModelSizingConfig
    clock: Clock
    image_template: str = DEFAULT_IMAGE


class InferenceServiceReconciler:
    """Takes one InferenceService to what it asks for."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._applied: dict[str, tuple[str, int | None]] = {}

    async def reconcile(self, request: Request) -> Result:
        """Apply, gather, write."""
        service = self._context.cluster.service_table.get(request.key)
        if service is None:
            self._applied.pop(request.key, None)
            return Result()
        if service.metadata.deletion_timestamp is not None:
            return Result()
        error = await self._apply(request.key, service)
        gathered = Gathered(service, self._size(service), self._deployment(request.key), self._claims(service), error)
        status = status_of(gathered, self._context.clock.now())
        if status != service.status:
            try:
                await self._write(service.model_copy(update={"status": status}))
            except Conflict:
                return Result(requeue_after=SOON_SECONDS)
        return Result(requeue_after=TRY_AGAIN_SECONDS if error is not None else None)

    async def _apply(self, key: str, service: InferenceService) -> Refusal | None:
        """Deployment and Service, once a generation and again when the Deployment went missing."""
        version = (service.metadata.uid, service.metadata.generation)
        if self._applied.get(key) == version and self._deployment(key) is not None:
            return None
        deployment = deployment_for(service, self._context.image_template)
        for resource, wanted in ((DEPLOYMENTS, deployment), (SERVICES, service_for(service))):
            error = await self._apply_one(resource, wanted, service)
            if error is not None:
                return error
        self._applied[key] = version
        return None

    async def _apply_one(
        self, resource: Resource, wanted: dict[str, object], service: InferenceService
    ) -> Refusal | None:
        """Server-side apply, unless an object of that name belongs to somebody else."""
        name, namespace = service.metadata.name, service.metadata.namespace
        try:
            present = await self._context.client.get(resource, name, namespace)
            owners = [ref["uid"] for ref in present["metadata"].get("ownerReferences", ())]
            if service.metadata.uid not in owners:
                return Refusal(
                    "NameTaken",
                    f"{resource.kind} {namespace}/{name} belongs to somebody else; delete it or rename the service",
                )
        except NotFound:
            pass
        try:
            await self._context.client.apply(resource, wanted, field_manager=MANAGER)
        except (Invalid, Forbidden) as error:
            return Refusal("BackendRefused", f"{resource.kind}: {error.message}")
        return None

    def _size(self, service: InferenceService) -> Sizing | Refusal:
        model = service.spec.model
        request = SizingRequest(model.id, Precision(model.precision.value), model.max_model_len, model.max_concurrency)
        try:
            return self._context.sizing.size(request)
        except SizingError as error:
            return Refusal(
                type(error).__name__, f"{FIELD_OF[error.field]}: {str(error.value)!r} {error.problem}: {error.remedy}"
            )

    def _deployment(self, key: str) -> dict[str, object] | None:
        return self._context.cluster.deployments.store.get(key)

    def _claims(self, service: InferenceService) -> list[GPUPartitionClaim]:
        cluster = self._context.cluster
        found = []
        for claim in cluster.claims_in(service.metadata.namespace or ""):
            if claim.spec.pod_ref is None:
                continue
            pod = cluster.pod_table.view(f"{service.metadata.namespace}/{claim.spec.pod_ref.name}")
            ours = pod is not None and pod.uid == claim.spec.pod_ref.uid and not pod.terminal and not pod.deleting
            if ours and pod is not None and pod.labels.get(SERVICE_LABEL) == service.metadata.name:
                found.append(claim)
        return found

    async def _write(self, service: InferenceService) -> None:
        await self._context.client.replace(INFERENCE_SERVICES, dump(service), subresource="status")
