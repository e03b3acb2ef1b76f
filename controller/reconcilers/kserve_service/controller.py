"""The reconciler of KServe's InferenceServices: gathers what became of the pods, writes a condition that differs."""

from collections.abc import Mapping

from api.condition import find_condition
from api.v1beta1.gpu_partition_claim import ClaimPhase
from controller.reconcilers.kserve_service.mirrored import mirrored
from controller.reconcilers.kserve_service.verdict import PodStanding, Verdict, verdict
from controller.runtime.client.client import Client
from controller.runtime.client.errors import Conflict, NotFound
from controller.runtime.clock import Clock
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.manifest import Manifest, annotations_of, key_of
from controller.runtime.reconcile import Request, Result
from controller.state.cluster import Cluster
from controller.state.kinds import KSERVE_SERVICES
from controller.translate.pod import PodView
from controller.translate.share_group import as_seen_by

STOP = "serving.kserve.io/stop"
#: A status that moved on under us is read again after this many seconds: KServe writes it, too, all the time.
SOON_SECONDS = 0.2
#: Between two writes about one service, seconds: pods that come one by one are told together, and with anybody who
#: should take the condition away at once there is no war.
PAUSE_SECONDS = 1.0


class KServeServiceReconciler:
    """Mirrors one condition. A request names a service of KServe's."""

    def __init__(self, client: Client, cluster: Cluster, recorder: EventRecorder, clock: Clock) -> None:
        self._client = client
        self._cluster = cluster
        self._recorder = recorder
        self._clock = clock
        self._written_at: dict[str, float] = {}

    async def reconcile(self, request: Request) -> Result:
        """Write the condition when it is not as it should be."""
        service = self._cluster.kserve.services.store.get(request.key)
        if service is None or "deletionTimestamp" in service["metadata"]:
            self._written_at.pop(request.key, None)
            return Result()
        conditions = (service.get("status") or {}).get("conditions")
        if not conditions:
            return Result()  # KServe speaks first, and we hear of that
        stopped = annotations_of(service).get(STOP) == "true"
        wanted = verdict(effective_annotations(service), self._standings(request.key), stopped=stopped)
        after = mirrored(conditions, wanted, self._clock.now())
        if after is conditions:
            return Result()
        left = self._pause_left(request.key)
        if left > 0:
            return Result(requeue_after=left)
        try:
            await self._write(service, after)
        except Conflict:
            return Result(requeue_after=SOON_SECONDS)
        except NotFound:
            return Result()
        self._written_at[request.key] = self._clock.monotonic()
        self._tell(service, wanted)
        return Result()

    def _pause_left(self, key: str) -> float:
        written_at = self._written_at.get(key)
        return 0.0 if written_at is None else written_at + PAUSE_SECONDS - self._clock.monotonic()

    async def _write(self, service: Manifest, conditions: list[dict[str, object]]) -> None:
        """Replace the list, if nothing was written since it was read: a merge patch takes lists whole."""
        metadata = service["metadata"]
        patch = {
            "metadata": {"resourceVersion": metadata["resourceVersion"]},
            "status": {"conditions": conditions},
        }
        name, namespace = metadata["name"], metadata["namespace"]
        await self._client.merge_patch(KSERVE_SERVICES, name, patch, namespace, subresource="status")

    def _tell(self, service: Manifest, wanted: Verdict | None) -> None:
        if wanted is not None and wanted.fault:
            self._recorder.record(service, "Warning", wanted.reason, wanted.fault, "CheckAnnotations")

    def _standings(self, key: str) -> list[PodStanding]:
        """Every pod of the service that lives and takes part."""
        views = (self._cluster.pod_table.view(key_of(pod)) for pod in self._cluster.pods.store.by_index("kserve", key))
        return [self._standing(view) for view in views if view is not None and _counts(view)]

    def _standing(self, view: PodView) -> PodStanding:
        claim = self._cluster.claim_table.get(f"{view.namespace}/{view.claim}")
        if claim is None:
            return PodStanding(view.name, held=False)
        claim = as_seen_by(claim, view)
        if claim.status.phase is not ClaimPhase.PENDING:
            return PodStanding(view.name, held=claim.status.phase is ClaimPhase.ALLOCATED)
        bound = find_condition(claim.status.conditions, "Bound")
        return PodStanding(view.name, False, bound.reason, bound.message) if bound else PodStanding(view.name, False)


def _counts(view: PodView) -> bool:
    return view.claim is not None and not view.terminal and not view.deleting


def effective_annotations(service: Manifest) -> Mapping[str, str]:
    """The annotations that the predictor's pods get: its own go over the service's."""
    predictor = (service.get("spec") or {}).get("predictor") or {}
    return {**annotations_of(service), **(predictor.get("annotations") or {})}
