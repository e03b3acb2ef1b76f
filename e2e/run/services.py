"""What became of each service, and whether that is what was expected. Pure.

Services are InferenceServices and annotated Deployments. A Deployment that an InferenceService made is a part of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from e2e.run.world import (
    SERVICE_LABEL,
    Object,
    World,
    by_key,
    claim_key,
    condition,
    key_of,
    lives,
    opted_in,
    ready,
    status_of,
)

EXPECT = "examples.aim.amd.com/expect"
"""On an example: the reason with which it stays pending; absent: it is to run."""

INFERENCE_SERVICE, DEPLOYMENT = "InferenceService", "Deployment"


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
    """A service as it stands. `reason` and `message` say why it does not run; empty when it does."""

    kind: str
    key: str
    standing: Standing
    reason: str = ""
    message: str = ""

    def fulfils(self, wish: Wish) -> bool:
        """Whether this is what was expected."""
        if wish.refusal is None:
            return self.standing is Standing.RUNNING
        return self.standing is Standing.REFUSED and self.reason == wish.refusal


def wishes(objects: Iterable[Object]) -> tuple[Wish, ...]:
    """The services among applied objects."""
    return tuple(
        Wish(obj["kind"], key_of(obj), (obj["metadata"].get("annotations") or {}).get(EXPECT))
        for obj in objects
        if is_service(obj)
    )


def is_service(obj: Object) -> bool:
    """Whether an object is an InferenceService of ours or a Deployment that opts in by itself."""
    if obj["kind"] == INFERENCE_SERVICE:
        return str(obj["apiVersion"]).startswith("aim.amd.com/")
    owned = SERVICE_LABEL in (obj["metadata"].get("labels") or {})
    return obj["kind"] == DEPLOYMENT and opted_in(obj["spec"]["template"]) and not owned


def services(world: World) -> tuple[Service, ...]:
    """Every service of the cluster, by kind and key."""
    claims = by_key(world.claims)
    found = [_service(service, INFERENCE_SERVICE, world.pods, claims) for service in world.services]
    found += [
        _service(deployment, DEPLOYMENT, world.pods, claims)
        for deployment in world.deployments
        if is_service({"apiVersion": "apps/v1", "kind": DEPLOYMENT, **deployment})
    ]
    return tuple(sorted(found, key=lambda service: (service.kind, service.key)))


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
    key, replicas = key_of(obj), obj["spec"].get("replicas", 1)
    mine = [pod for pod in pods if lives(pod) and _selects(obj, kind, pod)]
    own = [claims.get(claim_key(pod) or "") for pod in mine]
    trouble = _trouble(obj, kind) or next((found for found in map(_refusal, own) if found), None)
    if len(mine) != replicas or not _observed(obj):
        return Service(kind, key, Standing.MOVING, "PodsMissing", f"{len(mine)} of {replicas} pods are there")
    if trouble is None and all(map(_allocated, own)) and all(map(ready, mine)):
        return Service(kind, key, Standing.RUNNING)
    refusals = [_refusal(claim) for claim in own]
    reasons = {refusal[0] if refusal else "" for refusal in refusals}
    if trouble is not None and refusals and reasons == {trouble[0]}:
        return Service(kind, key, Standing.REFUSED, *trouble)
    return Service(kind, key, Standing.MOVING, *(trouble or ("PodsNotReady", "not every pod is allocated and Ready")))


def _selects(obj: Object, kind: str, pod: Object) -> bool:
    metadata = obj["metadata"]
    if pod["metadata"]["namespace"] != metadata["namespace"]:
        return False
    wanted = {SERVICE_LABEL: metadata["name"]} if kind == INFERENCE_SERVICE else obj["spec"]["selector"]["matchLabels"]
    return dict(wanted).items() <= (pod["metadata"].get("labels") or {}).items()


def _observed(obj: Object) -> bool:
    return bool(status_of(obj).get("observedGeneration") == obj["metadata"].get("generation"))


def _trouble(obj: Object, kind: str) -> tuple[str, str] | None:
    """Reason and message of what the service itself says against its readiness, None when it says that it is ready."""
    if kind == DEPLOYMENT:
        return None
    for type_ in ("Allocated", "Ready"):
        found = condition(obj, type_)
        if found is None:
            return "NoCondition", f"it has no condition {type_} yet"
        if found["status"] != "True":
            return found["reason"], found.get("message", "")
    return None


def _allocated(claim: Object | None) -> bool:
    return claim is not None and status_of(claim).get("phase") == "Allocated"


def _refusal(claim: Object | None) -> tuple[str, str] | None:
    """Reason and message of a claim that was told no, None for others."""
    if claim is None or status_of(claim).get("phase") != "Pending":
        return None
    bound = condition(claim, "Bound")
    return (bound["reason"], bound.get("message", "")) if bound is not None else None
