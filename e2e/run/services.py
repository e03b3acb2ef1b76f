"""What became of each service, and whether that is what was expected. Pure.

Services are InferenceServices of ours, annotated ones of KServe's, and annotated Deployments. What was made for one of
them is a part of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from e2e.run.world import (
    KSERVE_LABEL,
    SERVICE_LABEL,
    Object,
    World,
    by_key,
    claim_key,
    condition,
    key_of,
    label,
    lives,
    opted_in,
    ready,
    status_of,
)

EXPECT = "examples.aim.amd.com/expect"
"""On an example: the reason with which it stays pending; absent: it is to run."""

INFERENCE_SERVICE, KSERVE_SERVICE, DEPLOYMENT = "InferenceService", "KServe InferenceService", "Deployment"

_SAYS = {INFERENCE_SERVICE: ("Allocated", "Ready"), KSERVE_SERVICE: ("GPUPartitionAllocated", "Ready"), DEPLOYMENT: ()}
"""The conditions by which a service says itself how it stands; a Deployment knows nothing of partitions."""


class Standing(StrEnum):
    """Where a service stands: every pod allocated and Ready, every pod refused with a reason, or neither yet."""

    RUNNING = "running"
    REFUSED = "refused"
    MOVING = "moving"


@dataclass(frozen=True, slots=True)
class Wish:
    """A service that was applied, and the reason it is to be refused with (None: it is to run)."""

    kind: str
    key: str
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A service as it stands. `reason` and `message` say why it does not run; empty when it does.

    `through_kserve`: whether it has pods and all of them are KServe's.
    """

    kind: str
    key: str
    standing: Standing
    reason: str = ""
    message: str = ""
    through_kserve: bool = False

    def fulfils(self, wish: Wish) -> bool:
        """Whether this is what was expected."""
        if wish.refusal is None:
            return self.standing is Standing.RUNNING
        return self.standing is Standing.REFUSED and self.reason == wish.refusal


def wishes(objects: Iterable[Object]) -> tuple[Wish, ...]:
    """The services among applied objects."""
    return tuple(
        Wish(kind, key_of(obj), (obj["metadata"].get("annotations") or {}).get(EXPECT))
        for obj in objects
        if (kind := kind_of(obj)) is not None
    )


def kind_of(obj: Object) -> str | None:
    """Which kind of service an object is; None for what is none, or is a part of one."""
    if label(obj, SERVICE_LABEL) is not None:
        return None
    match str(obj["apiVersion"]).partition("/")[0], obj["kind"]:
        case "aim.amd.com", "InferenceService":
            return INFERENCE_SERVICE
        case "serving.kserve.io", "InferenceService":
            return KSERVE_SERVICE if opted_in(obj) else None
        case "apps", "Deployment":
            made = label(obj, KSERVE_LABEL) is not None
            return DEPLOYMENT if opted_in(obj["spec"]["template"]) and not made else None
    return None


def services(world: World) -> tuple[Service, ...]:
    """Every service of the cluster, by kind and key."""
    claims = by_key(world.claims)
    found = [
        _service(obj, kind, world.pods, claims)
        for api_version, own_kind, objects in (
            ("aim.amd.com/v1beta1", "InferenceService", world.services),
            ("serving.kserve.io/v1beta1", "InferenceService", world.kserve_services),
            ("apps/v1", "Deployment", world.deployments),
        )
        for obj in objects
        # items of a list carry neither
        if (kind := kind_of({"apiVersion": api_version, "kind": own_kind, **obj})) is not None
    ]
    return tuple(sorted(found, key=lambda service: (service.kind, service.key)))


def service_of(pod: Object) -> str | None:
    """The key of the service that a pod serves, None where its labels do not say."""
    name = label(pod, SERVICE_LABEL) or label(pod, KSERVE_LABEL)
    return f"{pod['metadata']['namespace']}/{name}" if name else None


def fulfilled(found: Iterable[Service], wanted: Sequence[Wish]) -> int:
    """How many of the services that were applied are as expected; others do not count."""
    present = {(service.kind, service.key): service for service in found}
    return sum((service := present.get((wish.kind, wish.key))) is not None and service.fulfils(wish) for wish in wanted)


def unfulfilled(found: Iterable[Service], wanted: Sequence[Wish]) -> list[str]:
    """A sentence for each service that is not as expected; empty: all are."""
    present = {(service.kind, service.key): service for service in found}
    sentences = []
    for wish in wanted:
        service = present.get((wish.kind, wish.key))
        goal = f"refused with {wish.refusal}" if wish.refusal else "allocated with its pods Ready"
        if service is None:
            sentences.append(f"{wish.kind} {wish.key} is not there; it should be {goal}")
        elif not service.fulfils(wish):
            why = f" ({service.reason}: {service.message})" if service.reason else ""
            sentences.append(f"{wish.kind} {wish.key} is {service.standing}{why}; it should be {goal}")
    wished = {(wish.kind, wish.key) for wish in wanted}
    sentences += [f"{kind} {key} was not applied by this run" for kind, key in present if (kind, key) not in wished]
    return sentences


def _service(obj: Object, kind: str, pods: Sequence[Object], claims: dict[str, Object]) -> Service:
    key, replicas = key_of(obj), _replicas(obj, kind)
    mine = [pod for pod in pods if lives(pod) and _selects(obj, kind, pod)]
    through_kserve = bool(mine) and all(label(pod, KSERVE_LABEL) for pod in mine)

    def stands(standing: Standing, reason: str = "", message: str = "") -> Service:
        return Service(kind, key, standing, reason, message, through_kserve)

    own = [claims.get(claim_key(pod) or "") for pod in mine]
    trouble = _trouble(obj, kind) or next((found for found in map(_refusal, own) if found), None)
    if len(mine) != replicas or not _observed(obj, kind):
        return stands(Standing.MOVING, "PodsMissing", f"{len(mine)} of {replicas} pods are there")
    if trouble is None and all(map(_allocated, own)) and all(map(ready, mine)):
        return stands(Standing.RUNNING)
    refusals = [_refusal(claim) for claim in own]
    reasons = {refusal[0] if refusal else "" for refusal in refusals}
    if trouble is not None and refusals and reasons == {trouble[0]}:
        return stands(Standing.REFUSED, *trouble)
    return stands(Standing.MOVING, *(trouble or ("PodsNotReady", "not every pod is allocated and Ready")))


def _replicas(obj: Object, kind: str) -> int:
    spec = obj["spec"]
    wanted = spec["predictor"].get("minReplicas", 1) if kind == KSERVE_SERVICE else spec.get("replicas", 1)
    return int(wanted)


def _selects(obj: Object, kind: str, pod: Object) -> bool:
    metadata = obj["metadata"]
    if pod["metadata"]["namespace"] != metadata["namespace"]:
        return False
    labels = {INFERENCE_SERVICE: SERVICE_LABEL, KSERVE_SERVICE: KSERVE_LABEL}
    wanted = {labels[kind]: metadata["name"]} if kind in labels else obj["spec"]["selector"]["matchLabels"]
    return dict(wanted).items() <= (pod["metadata"].get("labels") or {}).items()


def _observed(obj: Object, kind: str) -> bool:
    """Whether the status is of the present spec. KServe's counts the Deployment's generations, which says nothing."""
    if kind == KSERVE_SERVICE:
        return True
    return bool(status_of(obj).get("observedGeneration") == obj["metadata"].get("generation"))


def _trouble(obj: Object, kind: str) -> tuple[str, str] | None:
    """Reason and message of what the service itself says against its readiness, None when it says that it is ready."""
    for type_ in _SAYS[kind]:
        found = condition(obj, type_)
        if found is None:
            return "NoCondition", f"it has no condition {type_} yet"
        if found["status"] != "True":
            return found.get("reason", "NoReason"), found.get("message", "")
    return None


def _allocated(claim: Object | None) -> bool:
    return claim is not None and status_of(claim).get("phase") == "Allocated"


def _refusal(claim: Object | None) -> tuple[str, str] | None:
    """Reason and message of a claim that was told no, None for others."""
    if claim is None or status_of(claim).get("phase") != "Pending":
        return None
    bound = condition(claim, "Bound")
    return (bound["reason"], bound.get("message", "")) if bound is not None else None
