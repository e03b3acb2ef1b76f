"""Reads what a question is about, with no more rights than the question needs: the object, its claims, its events.

The rest of the cluster is read where that is allowed; where not, what the operator wrote into the claim stands alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.group import SERVICE_LABEL
from api.v1beta1 import GPUPartitionClaim
from controller.cli.access import Access
from controller.cli.explain_claim import explain_live
from controller.cli.explain_node import explain_node
from controller.cli.live_cluster import Live, NotReadable, read_cluster
from controller.cli.subject import Kind, Subject
from controller.placement.scheduler import ModelScheduler
from controller.runtime.client.client import Client
from controller.runtime.client.core import EVENTS, PODS
from controller.runtime.client.errors import Forbidden, NotFound
from controller.runtime.client.resource import Resource
from controller.runtime.manifest import Manifest
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import Pod
from controller.state.expected import known_claims
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, INFERENCE_SERVICES, KSERVE_SERVICES
from controller.state.kserve import POD_LABEL
from controller.translate.pod import claim_name

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
_POD_LABELS: Final = {Kind.SERVICE: SERVICE_LABEL, Kind.KSERVE: POD_LABEL}


class NothingToExplain(Exception):
    """There is no such object, or it takes no part; the text says which and what to do."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, of whom, and by which scheduler it is answered."""

    subject: Subject
    system_namespace: str
    scheduler: ModelScheduler


async def answer(client: Client, question: Question) -> Document:
    """The answer as one document. Raises NothingToExplain and the client's errors."""
    subject = question.subject
    obj = await _object(client, subject)
    document: Document = {"kind": subject.kind.value, "name": subject.name, "live": True, "notes": []}
    if subject.namespace:
        document["namespace"] = subject.namespace
    live = await _live(client, question, document)
    if live is not None:  # as the operator would, began it at this moment
        question.scheduler.expect(known_claims(live.cluster.claim_table, live.cluster.pod_table))
    access = Access(client)
    if subject.kind is Kind.NODE:
        return document | await _of_node(live, subject, obj, access)
    document["conditions"] = _conditions(obj)
    claims = await _claims(client, subject, obj)
    named = {subject.name, *(claim.metadata.name for claim in claims), *(_pod_of(claim) for claim in claims)}
    document["claims"] = [
        await claim_document(claim, live, access, question.scheduler) for claim in claims[:MOST_CLAIMS]
    ]
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


async def _live(client: Client, question: Question, document: Document) -> Live | None:
    try:
        return await read_cluster(client, question.system_namespace)
    except NotReadable as error:
        document["live"] = False
        document["missingRights"] = [f"list {resource}" for resource in error.resources]
        return None


async def _of_node(live: Live | None, subject: Subject, obj: Manifest, access: Access) -> Document:
    found = await explain_node(live, subject.name, access) if live is not None else None
    if live is not None and found is None:
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
    pods = [obj]
    label = _POD_LABELS.get(subject.kind)
    if label is not None:
        pods = list((await client.list(PODS, subject.namespace, label_selector=f"{label}={subject.name}")).items)
    names = {name for pod in pods if (name := claim_name(typed(pod, Pod))) is not None}
    if not names and subject.kind is Kind.POD:
        raise NothingToExplain(f"pod {subject.namespace}/{subject.name} takes no part: it has no claim of ours")
    found = [claim for name in sorted(names) if (claim := await _read_claim(client, subject.namespace, name))]
    return sorted(found, key=lambda claim: (claim.status.allocation is not None, claim.metadata.name))


async def _read_claim(client: Client, namespace: str, name: str) -> GPUPartitionClaim | None:
    try:
        return GPUPartitionClaim.model_validate(await client.get(GPU_PARTITION_CLAIMS, name, namespace))
    except NotFound:
        return None


def _pod_of(claim: GPUPartitionClaim) -> str:
    return claim.spec.pod_ref.name if claim.spec.pod_ref is not None else ""


async def claim_document(
    claim: GPUPartitionClaim, live: Live | None, access: Access, scheduler: ModelScheduler
) -> Document:
    """A claim as it is stored, and where `live` is given what the cluster says of it now."""
    key = f"{claim.metadata.namespace}/{claim.metadata.name}"
    model, asked, allocation = claim.spec.model, claim.spec.requirement, claim.status.allocation
    document: Document = {
        "name": claim.metadata.name,
        "pod": _pod_of(claim) or None,
        "phase": claim.status.phase.value,
        "model": model.model_dump(by_alias=True, mode="json") if model is not None else None,
        "requirement": asked.model_dump(by_alias=True, mode="json", exclude_none=True),
        "allocation": allocation.model_dump(by_alias=True, mode="json", exclude_none=True) if allocation else None,
        "written": claim.status.explanation,
        "conditions": [each.model_dump(by_alias=True, mode="json") for each in claim.status.conditions],
    }
    return document | (await explain_live(live, key, access, scheduler) if live is not None else {})


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
