"""Reads what a question is about, with no more rights than the question needs: the object, its claims, its events.

The rest of the cluster is read where that is allowed; where not, what the operator wrote into the claim stands
alone, and nothing of the scheduler is imported, which takes longer than all else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from api.group import SERVICE_LABEL
from api.v1beta1 import GPUPartitionClaim
from controller.cli.access import Access
from controller.cli.live_rights import NotReadable, unreadable
from controller.cli.subject import Kind, Subject
from controller.runtime.client.client import Client
from controller.runtime.client.core import EVENTS, PODS
from controller.runtime.client.errors import Forbidden, NotFound
from controller.runtime.client.resource import Resource
from controller.runtime.manifest import Manifest
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, INFERENCE_SERVICES, KSERVE_SERVICES

if TYPE_CHECKING:
    from controller.cli.live_cluster import Live
    from controller.placement.scheduler import ModelScheduler

#: Events and claims that are told at most, the latest, and those that wait, first.
MOST_EVENTS: Final = 12
MOST_CLAIMS: Final = 20

Document = dict[str, Any]

_READ: Final[dict[Kind, Resource]] = {
    Kind.CLAIM: GPU_PARTITION_CLAIMS,
    Kind.POD: PODS,
    Kind.SERVICE: INFERENCE_SERVICES,
    Kind.KSERVE: KSERVE_SERVICES,
    Kind.NODE: GPU_NODES,
}


class NothingToExplain(Exception):
    """There is no such object, or it takes no part; the text says which and what to do."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and where the operator is."""

    subject: Subject
    system_namespace: str


@dataclass(frozen=True, slots=True)
class Deciding:
    """What is decided anew, on the cluster as it is and by the operator's own scheduler."""

    live: "Live"
    scheduler: "ModelScheduler"


async def answer(client: Client, question: Question) -> Document:
    """The answer as one document. Raises NothingToExplain and the client's errors."""
    subject = question.subject
    obj = await _object(client, subject)
    document: Document = {"kind": subject.kind.value, "name": subject.name, "live": True, "notes": []}
    if subject.namespace:
        document["namespace"] = subject.namespace
    deciding = await _deciding(client, question, document)
    access = Access(client)
    if subject.kind is Kind.NODE:
        return document | await _of_node(deciding, subject, obj, access)
    document["conditions"] = _conditions(obj)
    claims = await _claims(client, subject, obj)
    named = {subject.name, *(claim.metadata.name for claim in claims), *(_pod_of(claim) for claim in claims)}
    document["claims"] = [await claim_document(claim, deciding, access) for claim in claims[:MOST_CLAIMS]]
    document["moreClaims"] = max(0, len(claims) - MOST_CLAIMS)
    document["history"] = await _history(client, subject, named, document)
    return document


async def _object(client: Client, subject: Subject) -> Manifest:
    resource = _READ[subject.kind]
    try:
        return await client.get(resource, subject.name, subject.namespace or None)
    except NotFound as error:
        where = f" in namespace {subject.namespace}" if subject.namespace else ""
        remedy = "kubectl get gpun lists GPU nodes" if subject.kind is Kind.NODE else "name another namespace with -n"
        raise NothingToExplain(f"no {subject.kind} is called {subject.name!r}{where}; {remedy}") from error


async def _deciding(client: Client, question: Question, document: Document) -> Deciding | None:
    try:
        unread = await unreadable(client, question.system_namespace)
    except NotReadable as error:
        document["live"] = False
        document["missingRights"] = [f"list {resource}" for resource in error.resources]
        return None
    from controller.cli.live_cluster import list_cluster
    from controller.cli.live_scheduler import scheduler_of

    live = await list_cluster(client, question.system_namespace, unread)
    document["notes"] += live.assumed
    return Deciding(live, scheduler_of(live.cluster))


async def _of_node(deciding: Deciding | None, subject: Subject, obj: Manifest, access: Access) -> Document:
    if deciding is None:
        return {"conditions": _conditions(obj), "node": None}
    from controller.cli.explain_node import explain_node

    found = await explain_node(deciding.live, subject.name, access)
    if found is None:
        raise NothingToExplain(
            f"node {subject.name} is not managed or was not seen yet; label it aim.amd.com/managed=true"
        )
    return {"conditions": _conditions(obj), "node": found}


def _conditions(obj: Manifest) -> list[Document]:
    kept = ("type", "status", "reason", "message", "lastTransitionTime")
    return [{name: each.get(name) for name in kept} for each in (obj.get("status") or {}).get("conditions") or ()]


async def _claims(client: Client, subject: Subject, obj: Manifest) -> list[GPUPartitionClaim]:
    if subject.kind is Kind.CLAIM:
        return [GPUPartitionClaim.model_validate(obj)]
    from controller.runtime.objects.conversion import typed
    from controller.runtime.objects.pod import Pod
    from controller.translate.pod import claim_name

    pods = [obj]
    label = _label_of_pods(subject.kind)
    if label is not None:
        pods = list((await client.list(PODS, subject.namespace, label_selector=f"{label}={subject.name}")).items)
    names = {name for pod in pods if (name := claim_name(typed(pod, Pod))) is not None}
    if not names and subject.kind is Kind.POD:
        raise NothingToExplain(f"pod {subject.namespace}/{subject.name} takes no part: it has no claim of ours")
    found = [claim for name in sorted(names) if (claim := await _read_claim(client, subject.namespace, name))]
    return sorted(found, key=lambda claim: (claim.status.allocation is not None, claim.metadata.name))


def _label_of_pods(kind: Kind) -> str | None:
    """The label whose value is the service of a pod; None for what has no pods of its own."""
    if kind is Kind.KSERVE:
        from controller.state.kserve import POD_LABEL

        return POD_LABEL
    return SERVICE_LABEL if kind is Kind.SERVICE else None


async def _read_claim(client: Client, namespace: str, name: str) -> GPUPartitionClaim | None:
    try:
        return GPUPartitionClaim.model_validate(await client.get(GPU_PARTITION_CLAIMS, name, namespace))
    except NotFound:
        return None


def _pod_of(claim: GPUPartitionClaim) -> str:
    return claim.spec.pod_ref.name if claim.spec.pod_ref is not None else ""


async def claim_document(claim: GPUPartitionClaim, deciding: Deciding | None, access: Access) -> Document:
    """A claim as it is stored, and where the cluster may be read what it says of it now."""
    if deciding is None:
        return _stored(claim)
    from controller.cli.explain_claim import explain_live

    key = f"{claim.metadata.namespace}/{claim.metadata.name}"
    return _stored(claim) | await explain_live(deciding.live, key, access, deciding.scheduler)


def _stored(claim: GPUPartitionClaim) -> Document:
    model, asked, allocation = claim.spec.model, claim.spec.requirement, claim.status.allocation
    return {
        "name": claim.metadata.name,
        "pod": _pod_of(claim) or None,
        "phase": claim.status.phase.value,
        "model": model.model_dump(by_alias=True, mode="json") if model is not None else None,
        "requirement": asked.model_dump(by_alias=True, mode="json", exclude_none=True),
        "allocation": allocation.model_dump(by_alias=True, mode="json", exclude_none=True) if allocation else None,
        "written": claim.status.explanation,
        "conditions": [each.model_dump(by_alias=True, mode="json") for each in claim.status.conditions],
    }


async def _history(client: Client, subject: Subject, named: set[str], document: Document) -> list[Document]:
    try:
        events: Sequence[Manifest] = (await client.list(EVENTS, subject.namespace)).items
    except Forbidden as error:
        document["notes"].append(f"no events are shown: {error.message}")
        return []
    about = [event for event in events if (event.get("regarding") or {}).get("name") in named]
    told = sorted(map(_event, about), key=lambda event: event["time"])
    return told[-MOST_EVENTS:]


def _event(event: Manifest) -> Document:
    series = event.get("series") or {}
    at = series.get("lastObservedTime") or event.get("eventTime") or event.get("deprecatedLastTimestamp") or ""
    regarding = event["regarding"]
    return {
        "time": at[:19] + "Z" if at else "",
        "type": event.get("type", ""),
        "reason": event.get("reason", ""),
        "object": f"{regarding.get('kind', '')} {regarding.get('name', '')}",
        "message": event.get("note", ""),
        "count": series.get("count") or event.get("deprecatedCount") or 1,
    }
