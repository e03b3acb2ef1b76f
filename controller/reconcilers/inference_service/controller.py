"""The InferenceService reconciler: applies the backend, gathers what became of it, writes a status that differs."""

from contextlib import suppress
from dataclasses import dataclass, field, replace

from api.v1beta1 import GPUPartitionClaim, InferenceService
from api.v1beta1.inference_service import Backend, InferenceServiceStatus
from controller.placement.scheduler import ModelScheduler
from controller.reconcilers.inference_service.backend import DEFAULT_IMAGE, Json, deployment_for, service_for
from controller.reconcilers.inference_service.choice import backend_of, is_of
from controller.reconcilers.inference_service.deciding import Deciding, as_made
from controller.reconcilers.inference_service.kserve_backend import (
    deployment_key,
    kserve_service_for,
    sleeps,
    template_for,
)
from controller.reconcilers.inference_service.objectives import Levels, levels_of
from controller.reconcilers.inference_service.profiles import ProfileDelivery
from controller.reconcilers.inference_service.resizing import Resizing
from controller.reconcilers.inference_service.revision import strategy_of
from controller.reconcilers.inference_service.routable import duplicate, guaranteed
from controller.reconcilers.inference_service.status import Gathered, Refusal, ServiceLevel, status_of
from controller.reconcilers.inference_service.updating import Offered, Step, Updating
from controller.reconcilers.inference_service.wishing import Partitions, wish
from controller.reconcilers.inference_service.writing import write_status
from controller.runtime.client.apply import apply_to
from controller.runtime.client.client import Client
from controller.runtime.client.core import DEPLOYMENTS, SERVICES
from controller.runtime.client.errors import ApiError, BadRequest, Conflict, Forbidden, Invalid, NotFound
from controller.runtime.client.resource import Resource
from controller.runtime.clock import Clock
from controller.runtime.reconcile import Request, Result
from controller.sizing.errors import SizingError
from controller.sizing.precision import Precision
from controller.sizing.requirement import Sizing, SizingRequest
from controller.state.cluster import Cluster
from controller.state.kinds import KSERVE_SERVICES
from controller.state.kserve import LOOK_AGAIN_SECONDS
from controller.state.models import Models
from controller.state.promises import beyond_capacity
from controller.state.share_groups import claims_of_pods
from controller.translate.known_checkpoint import checkpoint_problem
from controller.translate.request import Problem
from controller.translate.sizing_fields import FIELD_OF, sizing_problem

MANAGER = "aim-gpu-operator"
#: A service that moved on under us is looked at again after this many seconds.
SOON_SECONDS = 0.2
#: A backend that was refused is applied again after this many seconds: names and quotas free up without an event.
TRY_AGAIN_SECONDS = 15.0
#: An API server says 500 with these words to an object with fields that its schema has not, or of other types.
UNREADABLE = "failed to create typed patch object"

NO_KSERVE = Refusal(
    "KServeNotServed",
    "status.backend is kserve, and serving.kserve.io/v1beta1 is not served any more; install KServe again, or make "
    "the service anew",
)


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """The collaborators of the reconciler."""

    client: Client
    cluster: Cluster
    sizing: Models
    clock: Clock
    image_template: str = DEFAULT_IMAGE
    scheduler: ModelScheduler = field(default_factory=ModelScheduler)


class InferenceServiceReconciler:
    """Takes one InferenceService to what it asks for."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._applied: dict[str, tuple[object, ...]] = {}
        self._written: dict[str, int] = {}
        self.updating = Updating(context.cluster, context.sizing, context.clock, context.scheduler)
        resizing = Resizing(context.cluster, context.clock)
        self._deciding = Deciding(self.updating, resizing, context.clock, self._offered)
        self._profiles = ProfileDelivery(context.client, context.cluster, context.sizing)
        self._partitions = Partitions(context.cluster)

    async def reconcile(self, request: Request) -> Result:
        """Choose a backend, apply, gather, write."""
        service = self._context.cluster.service_table.get(request.key)
        if service is None:
            self._applied.pop(request.key, None)
            self._written.pop(request.key, None)
            self._profiles.forget(request.key)
            self._deciding.forget(request.key)
            return Result()
        if service.metadata.deletion_timestamp is not None:
            return Result()
        try:
            chosen = await self._with_backend(request.key, service)
            if chosen is None or self._in_the_dark(chosen):
                return Result(requeue_after=LOOK_AGAIN_SECONDS)
            sizing = self._size(chosen)
            needed = sizing.total_bytes if isinstance(sizing, Sizing) else None
            decided = self._deciding.decide(request.key, chosen, needed, self._claims(chosen))
            step = decided.step
            chosen = await self._promise(request.key, chosen, step)
            error = await self._carry_out(request.key, as_made(chosen, decided.made_of), step)
            await self._wake(request.key, chosen)
            levels = levels_of(chosen, self._context.clock.now().timestamp())
            gathered = replace(
                self._gather(request.key, chosen, error, step),
                resized=decided.resized,
                service_level=self._service_level(request.key, chosen, levels, sizing),
            )
            status = status_of(gathered, self._context.clock.now())
            if status != chosen.status:
                await self._write(chosen, status)
        except Conflict:
            return Result(requeue_after=SOON_SECONDS)
        looks = (TRY_AGAIN_SECONDS if error is not None else step.look_after, levels.look_after)
        return Result(requeue_after=min(filter(None, looks), default=None))

    def _offered(self, key: str, service: InferenceService) -> Offered:
        """What the backend is to have, and what it has."""
        if service.status.backend is Backend.KSERVE:
            made = kserve_service_for(service, self._context.image_template)
            return Offered(template_for(made), made["spec"]["predictor"], self._deployment(deployment_key(key)))
        template = deployment_for(service, self._context.image_template)["spec"]["template"]
        return Offered(template, template["spec"], self._deployment(key), self._written.get(key, 0))

    async def _promise(self, key: str, service: InferenceService, step: Step) -> InferenceService:
        """The service with the revision that is to be applied, and its places, on record before it is.

        With nothing kept for anybody the record can wait until the rest of the status is written.
        """
        before, applied = service.status.applied, step.applied
        if applied is None or applied == before or (before is None and not applied.places):
            return service
        places = self._context.cluster.update_places
        places.assume(key, tuple(applied.places))
        try:
            return await self._write(service, service.status.model_copy(update={"applied": applied}))
        except ApiError:
            places.forget(key)
            raise

    async def _carry_out(self, key: str, service: InferenceService, step: Step) -> Refusal | None:
        """Hand the wanted template to the backend; one that is held up changes nothing but the number of pods."""
        if step.held:
            await self._scale(key, service)
            return None
        delivered = await self._profiles.deliver(key, service, self._claims(service))
        return delivered or await self._apply(key, service, step)

    async def _scale(self, key: str, service: InferenceService) -> None:
        """As many pods of the revision that serves as are wanted now; with an autoscaler that is its business."""
        name, namespace, wanted = service.metadata.name, service.metadata.namespace, service.spec.replicas
        through_kserve = service.status.backend is Backend.KSERVE
        deployment = self._deployment(deployment_key(key) if through_kserve else key)
        made = self._kserve(key) if through_kserve else deployment
        if deployment is None or not is_of(service, made) or deployment["spec"].get("replicas", 1) == wanted:
            return
        bounds = {"predictor": {"minReplicas": wanted, "maxReplicas": max(wanted, 1)}}
        if through_kserve and service.spec.max_replicas is not None:
            return
        resource, spec = (KSERVE_SERVICES, bounds) if through_kserve else (DEPLOYMENTS, {"replicas": wanted})
        with suppress(NotFound):  # it is made anew once the update is free to go on
            await self._context.client.merge_patch(resource, name, {"spec": spec}, namespace)

    def _in_the_dark(self, service: InferenceService) -> bool:
        """Whether it runs through KServe and nobody has found out yet whether that is there."""
        return service.status.backend is Backend.KSERVE and self._context.cluster.kserve.served is None

    async def _with_backend(self, key: str, service: InferenceService) -> InferenceService | None:
        """The service with its backend, None while that cannot be chosen.

        The choice is written before anything is made: whoever comes after a crash must not make the other one.
        """
        made = self._deployment(key), self._kserve(key)
        backend = backend_of(service, *made, served=self._context.cluster.kserve.served)
        if backend is None or backend is service.status.backend:
            return None if backend is None else service
        return await self._write(service, service.status.model_copy(update={"backend": backend}))

    async def _apply(self, key: str, service: InferenceService, step: Step) -> Refusal | None:
        """What the backend is made of, once a generation and strategy, and again when it went missing."""
        strategy = step.applied.strategy if step.applied is not None else None
        least = service.spec.gpu_sharing.partition.min_memory
        version = (service.metadata.uid, service.metadata.generation, strategy, least)
        if service.status.backend is Backend.KSERVE:
            if not self._context.cluster.kserve.served:
                return NO_KSERVE
            there = self._kserve(key) is not None
            made = kserve_service_for(service, self._context.image_template, strategy_of(strategy))
            wanted = [(KSERVE_SERVICES, made)]
        else:
            there = self._deployment(key) is not None
            deployment = deployment_for(service, self._context.image_template, strategy_of(strategy))
            wanted = [(DEPLOYMENTS, deployment), (SERVICES, service_for(service))]
        if self._applied.get(key) == version and there:
            return None
        for resource, obj in wanted:
            error = await self._apply_one(resource, obj, service)
            if error is not None:
                return error
        self._applied[key] = version
        return None

    async def _apply_one(self, resource: Resource, wanted: Json, service: InferenceService) -> Refusal | None:
        """Server-side apply, unless an object of that name belongs to somebody else."""
        name, namespace = service.metadata.name, service.metadata.namespace
        present: Json | None = None
        try:
            present = await self._context.client.get(resource, name, namespace)
            owners = [ref["uid"] for ref in present["metadata"].get("ownerReferences", ())]
            if service.metadata.uid not in owners:
                kind = f"KServe's {resource.kind}" if resource is KSERVE_SERVICES else resource.kind
                return Refusal(
                    "NameTaken", f"{kind} {namespace}/{name} belongs to somebody else; delete it or rename the service"
                )
        except NotFound:
            pass
        try:
            stored = await apply_to(self._context.client, resource, wanted, present, field_manager=MANAGER)
        except (BadRequest, Invalid, Forbidden) as error:
            return Refusal("BackendRefused", f"{resource.kind}: {error.message}")
        except NotFound:
            return NO_KSERVE if resource is KSERVE_SERVICES else Refusal("BackendRefused", "the namespace is gone")
        except ApiError as error:
            if UNREADABLE not in error.message:
                raise
            return Refusal("BackendRefused", f"{resource.kind}: {error.message}")
        if resource is DEPLOYMENTS:
            self._written[f"{namespace}/{name}"] = stored["metadata"].get("generation", 0)
        return None

    async def _wake(self, key: str, service: InferenceService) -> None:
        """Start the first pods of a service with an autoscaler, which scales no Deployment up from 0."""
        made, deployment = self._kserve(key), self._deployment(deployment_key(key))
        if service.status.backend is Backend.KSERVE and is_of(service, made) and sleeps(service, deployment):
            name, namespace = f"{service.metadata.name}-predictor", service.metadata.namespace
            patch = {"spec": {"replicas": service.spec.replicas}}
            with suppress(NotFound):  # KServe makes it anew, and we hear of that
                await self._context.client.merge_patch(DEPLOYMENTS, name, patch, namespace)

    def _gather(self, key: str, service: InferenceService, error: Refusal | None, step: Step) -> Gathered:
        through_kserve = service.status.backend is Backend.KSERVE
        sizing = self._size(service)
        return Gathered(
            service,
            sizing,
            self._deployment(deployment_key(key) if through_kserve else key),
            self._claims(service),
            error,
            self._kserve(key) if through_kserve and is_of(service, self._kserve(key)) else None,
            None if isinstance(sizing, Refusal) else self._checkpoint_problem(service, sizing),
            applied=step.applied if error is None else service.status.applied,
            blocked=step.blocked,
        )

    def _checkpoint_problem(self, service: InferenceService, sizing: Sizing) -> Problem | None:
        model = service.spec.model
        checkpoint = self._context.sizing.checkpoint(model.id, sizing.precision, model.profile_ref)
        return checkpoint_problem(service, sizing, checkpoint)

    def _size(self, service: InferenceService) -> Sizing | Refusal:
        model = service.spec.model
        request = SizingRequest(
            model.id,
            Precision(model.precision.value),
            model.max_model_len,
            model.max_concurrency,
            tensor_parallel=service.spec.gpu_sharing.partition.count,
        )
        try:
            return self._context.sizing.size(request, model.profile_ref)
        except SizingError as error:
            return Refusal(type(error).__name__, str(sizing_problem(error, FIELD_OF)))

    def _deployment(self, key: str) -> Json | None:
        return self._context.cluster.deployments.store.get(key)

    def _kserve(self, key: str) -> Json | None:
        return self._context.cluster.kserve.services.store.get(key)

    def _claims(self, service: InferenceService) -> list[GPUPartitionClaim]:
        cluster = self._context.cluster
        pods = cluster.pods_by("service", f"{service.metadata.namespace}/{service.metadata.name}")
        living = (pod for pod in pods if not pod.terminal and not pod.deleting)
        return [claim for claim, _ in claims_of_pods(cluster, living)]

    def _service_level(
        self, key: str, service: InferenceService, levels: Levels, sizing: Sizing | Refusal
    ) -> ServiceLevel:
        held = self._partitions.held(self._claims(service)) if levels.worst is not None else None
        concurrency = sizing.max_concurrency if isinstance(sizing, Sizing) else None
        return ServiceLevel(
            levels.status,
            wish(service, levels, held, self._partitions.larger, self._context.clock.now()),
            levels.verdict,
            duplicate(key, self._context.cluster.model_names.shared(key)),
            guaranteed(service, concurrency, beyond_capacity(self._context.cluster, service)),
        )

    async def _write(self, service: InferenceService, status: InferenceServiceStatus) -> InferenceService:
        return await write_status(self._context.client, service, status)
