"""The status of an InferenceService, worked out from what its backend made, its claims and pods. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.condition import find_condition, set_condition
from api.object import Condition
from api.v1beta1 import GPUPartitionClaim, InferenceService
from api.v1beta1.gpu_partition_claim import ClaimPhase
from api.v1beta1.inference_service import (
    AppliedRevision,
    Backend,
    InferenceServiceStatus,
    Placement,
    ResizeRequest,
    SizingResult,
)
from api.v1beta1.precision import ResolvedPrecision
from api.v1beta1.service_level import ObjectiveStatus
from controller.reconcilers.inference_service.backend import selector_for, url_for
from controller.reconcilers.inference_service.kserve_backend import kserve_selector_for, kserve_url_for
from controller.sizing.requirement import Sizing
from controller.translate.known_checkpoint import CHECKPOINT_UNKNOWN
from controller.translate.request import Problem
from controller.translate.sizing_status import uncertainty_of

MESSAGE_LIMIT = 1024
#: A condition that only services have of which it is, or was, False.
CHECKPOINT_KNOWN = "CheckpointKnown"
#: A condition that only services have whose update is, or was, held up.
UPDATE_BLOCKED = "UpdateBlocked"
#: A condition that only services have whose objectives ask, or asked, for larger partitions.
RESIZED = "Resized"
#: A condition that only services have with objectives, or that had some.
SLO_MET = "SLOMet"
#: A condition that only services have of which it is, or was, False.
ROUTABLE = "Routable"
#: A condition that only services have of which it is, or was, False.
GUARANTEED = "Guaranteed"

Verdict = tuple[str, str, str]
"""Status, reason and message of a condition."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the service cannot run: a CamelCase reason and a sentence."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that is known of one service. `sizing` is a refusal when the model cannot be sized.

    `deployment` is what runs the pods with either backend, `kserve` KServe's object with that one. `checkpoint` is the
    problem of a precision of which no weights are known. `applied` is the revision that the backend has, `blocked` why
    a later one, or the rest of it, waits. `resized` tells what becomes of a wish for larger partitions. `service_level`
    is what is known of its requests.
    """

    service: InferenceService
    sizing: Sizing | Refusal
    deployment: dict[str, Any] | None
    claims: Sequence[GPUPartitionClaim]
    backend_error: Refusal | None = None
    kserve: Mapping[str, Any] | None = None
    checkpoint: Problem | None = None
    applied: AppliedRevision | None = None
    blocked: Refusal | None = None
    resized: Verdict | None = None
    service_level: "ServiceLevel | None" = None


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """What is known of a service's requests. A condition that is not needed is None."""

    objectives: Sequence[ObjectiveStatus] = ()
    wish: ResizeRequest | None = None
    slo_met: Verdict | None = None
    routable: Verdict | None = None
    guaranteed: Verdict | None = None


def status_of(gathered: Gathered, now: datetime) -> InferenceServiceStatus:
    """The whole status. Conditions move their time only when they flip."""
    service = gathered.service
    observed = (gathered.deployment or {}).get("status") or {}
    sizing = gathered.sizing
    through_kserve = service.status.backend is Backend.KSERVE
    conditions = list(service.status.conditions)
    for type_, verdict in (
        ("Allocated", _allocated(gathered)),
        ("PredictorReady", _predictor_ready(gathered, observed)),
        ("Ready", _ready(gathered, observed)),
    ):
        conditions = _set(conditions, service, type_, verdict, now)
    if gathered.checkpoint is not None or find_condition(conditions, CHECKPOINT_KNOWN) is not None:
        conditions = _set(conditions, service, CHECKPOINT_KNOWN, _checkpoint_known(gathered), now)
    if gathered.blocked is not None or find_condition(conditions, UPDATE_BLOCKED) is not None:
        conditions = _set(conditions, service, UPDATE_BLOCKED, _update_blocked(gathered), now)
    if gathered.resized is not None or find_condition(conditions, RESIZED) is not None:
        over = "False", "NotWanted", "nobody wants larger partitions"
        conditions = _set(conditions, service, RESIZED, gathered.resized or over, now)
    conditions = _service_level(gathered, conditions, now)
    level = gathered.service_level or ServiceLevel(wish=service.status.resize_request)
    return service.status.model_copy(
        update={
            "slo": list(level.objectives),
            "resize_request": level.wish,
            "applied": gathered.applied,
            "observed_generation": service.metadata.generation,
            "replicas": observed.get("replicas", 0),
            "ready_replicas": observed.get("readyReplicas", 0),
            "selector": kserve_selector_for(service) if through_kserve else selector_for(service),
            "sizing": None if isinstance(sizing, Refusal) else sizing_result(sizing),
            "placements": placements(gathered.claims),
            "url": kserve_url_for(service, gathered.kserve) if through_kserve else url_for(service),
            "conditions": conditions,
        }
    )


def _service_level(gathered: Gathered, conditions: list[Condition], now: datetime) -> list[Condition]:
    """The conditions with those that tell of requests, where they are needed or were."""
    level = gathered.service_level or ServiceLevel()
    for type_, verdict, otherwise in (
        (SLO_MET, level.slo_met, ("Unknown", "NoObjectives", "the spec has no objectives")),
        (ROUTABLE, level.routable, ("True", ROUTABLE, "no other service of the namespace goes by its names")),
        (GUARANTEED, level.guaranteed, ("True", GUARANTEED, "the pods serve what is guaranteed")),
    ):
        if verdict is not None or find_condition(conditions, type_) is not None:
            conditions = _set(conditions, gathered.service, type_, verdict or otherwise, now)
    return conditions


def _set(
    conditions: list[Condition], service: InferenceService, type_: str, verdict: Verdict, now: datetime
) -> list[Condition]:
    status, reason, message = verdict
    return set_condition(conditions, type_, status, reason, message[:MESSAGE_LIMIT], service.metadata.generation, now)


def sizing_result(sizing: Sizing) -> SizingResult:
    """The sizing as the API shows it."""
    return SizingResult(
        weights_bytes=sizing.weights_bytes,
        kv_cache_bytes=sizing.kv_cache_bytes,
        overhead_bytes=sizing.overhead_bytes,
        activation_bytes=sizing.activation_bytes,
        non_torch_bytes=sizing.non_torch_bytes,
        graph_bytes=sizing.graph_bytes,
        loading_bytes=sizing.loading_bytes,
        margin_bytes=sizing.margin_bytes,
        total_bytes=sizing.total_bytes,
        uncertainty=uncertainty_of(sizing),
        kv_bytes_per_token=sizing.kv_bytes_per_token,
        precision=ResolvedPrecision(sizing.precision.value),
        max_model_len=sizing.max_model_len,
        max_concurrency=sizing.max_concurrency,
    )


def placements(claims: Sequence[GPUPartitionClaim]) -> list[Placement]:
    """Where the pods are, an entry a partition, by pod."""
    rows = [
        Placement(
            pod=claim.spec.pod_ref.name,
            claim=claim.metadata.name,
            node=claim.status.allocation.node,
            bdf=device.bdf,
            partition=device.partition,
            mode=device.mode,
            bytes=device.bytes,
            profile=claim.status.allocation.profile,
        )
        for claim in claims
        if claim.spec.pod_ref is not None
        and claim.status.allocation is not None
        and claim.status.phase in (ClaimPhase.BOUND, ClaimPhase.ALLOCATED)
        for device in claim.status.allocation.devices
    ]
    return sorted(rows, key=lambda row: (row.pod, row.bdf, row.partition))


def _allocated(gathered: Gathered) -> Verdict:
    wanted = gathered.service.spec.replicas
    if gathered.backend_error is not None:
        return "False", gathered.backend_error.reason, gathered.backend_error.message
    held = sum(claim.status.phase is ClaimPhase.ALLOCATED for claim in gathered.claims)
    counted = (
        f"{held} of {max(wanted, len(gathered.claims))} pods hold a partition"  # an autoscaler may have added some
    )
    if _updating(gathered) and held >= wanted:
        return "True", "PartitionsAllocated", counted  # of the revision that serves; UpdateBlocked tells of the other
    for claim in sorted(gathered.claims, key=lambda claim: claim.metadata.name):
        if claim.status.phase is ClaimPhase.PENDING:
            bound = find_condition(claim.status.conditions, "Bound")
            if bound is not None:
                return "False", bound.reason, bound.message
    if isinstance(gathered.sizing, Refusal):
        return "False", gathered.sizing.reason, gathered.sizing.message
    told = "" if gathered.claims or not wanted else _told(gathered, "PredictorReady") or _told(gathered, "Ready")
    if told:  # without pods nothing of ours can say why
        return "False", "KServeNotReady", f"KServe says: {told}"
    return ("True", "PartitionsAllocated", counted) if held >= wanted else ("False", "Pending", counted)


def _updating(gathered: Gathered) -> bool:
    """Whether another revision than the wanted one serves, or may serve."""
    return gathered.blocked is not None or (gathered.applied is not None and gathered.applied.strategy is not None)


def _update_blocked(gathered: Gathered) -> Verdict:
    if gathered.blocked is not None:
        return "True", gathered.blocked.reason, gathered.blocked.message
    if _updating(gathered):
        return "False", "RollingOut", "new pods have places, and take the old ones' turn"
    return "False", "UpToDate", "the pods are of the revision that is wanted"


def _checkpoint_known(gathered: Gathered) -> Verdict:
    if gathered.checkpoint is None:
        return "True", CHECKPOINT_KNOWN, "nothing is known against the weights that are loaded"
    return "False", CHECKPOINT_UNKNOWN, str(gathered.checkpoint)


def _predictor_ready(gathered: Gathered, observed: dict[str, Any]) -> Verdict:
    wanted = gathered.service.spec.replicas
    ready = observed.get("readyReplicas", 0)
    if gathered.deployment is None:
        return _no_deployment(gathered)
    counted = f"{ready} of {max(wanted, ready)} pods are ready"
    return ("True", "PodsReady", counted) if ready >= wanted else ("False", "PodsNotReady", counted)


def _no_deployment(gathered: Gathered) -> Verdict:
    if gathered.backend_error is not None:
        return "False", gathered.backend_error.reason, gathered.backend_error.message
    for type_ in ("PredictorReady", "Ready"):
        told = _told(gathered, type_)
        if told:
            return "False", "KServeNotReady", f"KServe says: {told}"
    return "False", "NoDeployment", "the Deployment is not there yet"


def _told(gathered: Gathered, type_: str) -> str:
    """What KServe's condition of that type says against it, empty when it says nothing."""
    conditions = ((gathered.kserve or {}).get("status") or {}).get("conditions") or ()
    against = (entry for entry in conditions if entry["type"] == type_ and entry["status"] != "True")
    return next((str(entry.get("message") or entry.get("reason") or "") for entry in against), "")


def _ready(gathered: Gathered, observed: dict[str, Any]) -> Verdict:
    for verdict in (_allocated(gathered), _predictor_ready(gathered, observed)):
        if verdict[0] != "True":
            return verdict
    return "True", "Serving", f"{observed.get('readyReplicas', 0)} pods serve"
