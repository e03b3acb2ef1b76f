"""What there is to say about one claim, worked out by the operator's own scheduler on the cluster as it was read.

claim + pod -> demand -> ModelScheduler on the snapshot without the claim -> contenders, or refusals and changes
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from api.group import SERVICE_LABEL
from api.v1beta1 import GPUPartitionClaim, InferenceService
from controller.cli.access import Access
from controller.cli.explain_group import group_document
from controller.cli.live_cluster import Live
from controller.placement.contenders import SCORERS, Contender, contenders
from controller.placement.decision import Decision, Unplaced
from controller.placement.demand import Demand
from controller.placement.explanation import Explanation, between, place_document
from controller.placement.filters import HOSTNAME_LABEL
from controller.placement.nearest import nearest
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Snapshot
from controller.reconcilers.gpu_partition_claim.asking_for_less import Lesser, with_remedy
from controller.reconcilers.gpu_partition_claim.explaining import circumstances
from controller.reconcilers.gpu_partition_claim.placing import demand_of, kept_text
from controller.reconcilers.share_group.demands import founders, founding_demand
from controller.reconcilers.share_group.members import gather
from controller.translate.pod import PodView
from controller.translate.policy_choice import refuse_choice

#: Nodes and holders that are listed at most.
MOST_ROWS: Final = 10
MOST_HOLDERS: Final = 64

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A claim with all that decides about it, as the cluster has it."""

    key: str
    claim: GPUPartitionClaim
    pod: PodView
    service: InferenceService | None
    demand: Demand


def asked_of(live: Live, key: str) -> Asked | None:
    """What the claim asks; None while it cannot be sized, or where its pod is gone."""
    cluster = live.cluster
    claim = cluster.claim_table.get(key)
    if claim is not None and claim.spec.share_group is not None:
        return _founders(live, key, claim)
    pod = cluster.pod_table.of_claim(claim) if claim is not None else None
    stored = cluster.pods.store.get(f"{pod.namespace}/{pod.name}") if pod is not None else None
    if claim is None or pod is None or stored is None or claim.spec.requirement.memory is None:
        return None
    service = cluster.service_table.get(f"{pod.namespace}/{pod.labels.get(SERVICE_LABEL, '')}")
    demand = cluster.revisions.marked(demand_of(key, claim, pod, stored, service))
    return Asked(key, claim, pod, service, _unpinned(demand) if claim.status.allocation is not None else demand)


def _founders(live: Live, key: str, claim: GPUPartitionClaim) -> Asked | None:
    """What a share group without a partition asks for all that can found it; the first one stands for them."""
    waiting = founders(gather(live, key, claim).waiting) if claim.status.allocation is None else ()
    if not waiting:
        return None
    pod = waiting[0].pod
    service = live.cluster.service_table.get(f"{pod.namespace}/{pod.labels.get(SERVICE_LABEL, '')}")
    return Asked(key, claim, pod, service, founding_demand(key, claim, claim.spec.share_group or "", waiting))


def _unpinned(demand: Demand) -> Demand:
    """What was asked before binding pinned the pod to its node."""
    free = tuple(pair for pair in demand.pod.node_selector if pair[0] != HOSTNAME_LABEL)
    return replace(demand, pod=replace(demand.pod, node_selector=free))


async def explain_live(live: Live, key: str, access: Access, scheduler: ModelScheduler) -> Document:
    """What the cluster says of a claim at this moment; {} where it asks for nothing that could be placed."""
    claim = live.cluster.claim_table.get(key)
    shared = group_document(live, key, claim, scheduler) if claim is not None and claim.spec.share_group else {}
    asked = asked_of(live, key)
    return shared | (await _explained(live, asked, access, scheduler) if asked is not None else {})


async def _explained(live: Live, asked: Asked, access: Access, scheduler: ModelScheduler) -> Document:
    key = asked.key
    snapshot = live.cluster.snapshot()
    with snapshot.without([key]):
        decision = _decided(live, asked.demand, snapshot, scheduler)
        if isinstance(decision, Unplaced):
            return await _refused(live, asked, snapshot, decision, (access, scheduler))
        rows = contenders(snapshot, asked.demand, scheduler.scorer)
        return {
            "locality": locality(asked.claim, snapshot),
            "now": place_document(decision),
            "candidates": [_candidate(snapshot, asked.demand, row) for row in rows[:MOST_ROWS]],
            "candidateNodes": len(rows),
            "scorers": list(SCORERS),
        }


def locality(claim: GPUPartitionClaim, snapshot: Snapshot) -> str | None:
    """What lies between the partitions that the claim has, as of places; None where it has not several."""
    allocation = claim.status.allocation
    node = snapshot.node(allocation.node) if allocation is not None else None
    if allocation is None or node is None:
        return None
    gpus = {gpu.bdf: gpu for gpu in node.gpus}
    return between([gpus[device.bdf] for device in allocation.devices if device.bdf in gpus])


def _decided(live: Live, demand: Demand, snapshot: Snapshot, scheduler: ModelScheduler) -> Decision:
    labels = live.cluster.namespace_labels.get(demand.namespace) or {}
    refused = refuse_choice(demand, labels, tuple(live.cluster.policy_table.values()))
    return refused or scheduler.schedule(snapshot, demand)


async def _refused(
    live: Live, asked: Asked, snapshot: Snapshot, decision: Unplaced, tools: tuple[Access, ModelScheduler]
) -> Document:
    access, scheduler = tools
    decision = with_remedy(decision, asked.demand, Lesser(asked.pod, asked.service, live.sizing), snapshot)
    around = circumstances(live.cluster, asked.demand, live.sizing, asked.pod, asked.service)
    offers = nearest(snapshot, asked.demand, around, scheduler.scorer) if decision.refusals else ()
    plan = live.cluster.plan_table.for_claim(asked.claim.metadata.uid)
    nomination = asked.claim.status.nomination
    notes = (
        *((f"RepartitionPlan {plan.metadata.name} ({plan.status.phase}) makes room",) if plan is not None else ()),
        *((kept_text(nomination),) if nomination is not None else ()),
    )
    found = Explanation(asked.demand, decision, offers, notes, searched=bool(decision.refusals))
    return {
        "explanation": found.document(),
        "lines": found.lines(),
        "holders": await holders(snapshot, access, [node.name for node in snapshot.nodes]),
    }


async def holders(snapshot: Snapshot, access: Access, nodes: Sequence[str]) -> Document:
    """Who holds partitions of the nodes: names of those that may be read, of the others how many."""
    names: dict[str, int] = {}
    hidden = foreign = 0
    for node, _, partition in snapshot.partitions():
        holder = snapshot.holder(node, partition) if node.name in nodes else None
        if holder is None:
            continue
        foreign += holder.kind == "foreign"
        known = holder.name in names
        name = holder.name if known else await access.named(holder.kind, holder.name)
        if name is None or (not known and len(names) >= MOST_HOLDERS):
            hidden += 1
        else:
            names[name] = names.get(name, 0) + 1
    listed = [{"name": name, "partitions": count} for name, count in sorted(names.items())]
    return {"named": listed, "unnamedPartitions": hidden, "foreignPartitions": foreign}


def _candidate(snapshot: Snapshot, demand: Demand, row: Contender) -> Document:
    placed = row.choice.placed
    return place_document(placed) | {
        "leftOverBytes": placed.partition.bytes - demand.requirement.bytes,
        "freeOnGpu": snapshot.free(placed.node, placed.gpu),
        "ranks": dict(row.places),
        "score": list(row.choice.rank[-1]),
    }
