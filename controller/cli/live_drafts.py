"""What pods of a service are there in the real cluster, and what is asked for those that are to come. No I/O."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from api.v1beta1 import GPUPartitionClaim
from controller.cli.explain_claim import asked_of
from controller.cli.live_cluster import Live
from controller.cli.offline_plan import demand_for
from controller.cli.trial import Expected
from controller.cli.workload import Workload
from controller.placement.demand import Demand
from controller.placement.nearest import Offer
from controller.reconcilers.gpu_partition_claim.admit import Need, Unsized, count_of, need_of
from controller.reconcilers.gpu_partition_claim.placing import requirement_of
from controller.state.kserve import POD_LABEL
from controller.state.occupancy import HOLDING


@dataclass(frozen=True, slots=True)
class Present:
    """A claim that a pod of the service has now."""

    key: str
    claim: GPUPartitionClaim

    @property
    def placed(self) -> bool:
        """Whether it holds its partition."""
        return self.claim.status.allocation is not None and self.claim.status.phase in HOLDING


@dataclass(frozen=True, slots=True)
class Draft:
    """A service with the pods that stay and leave, and demands for those that come.

    `changed`: they ask for something else than those there are. `blocked`, `offers`: once its update was held back.
    """

    workload: Workload
    need: Need | Unsized
    kept: tuple[Present, ...]
    gone: tuple[Present, ...]
    changed: bool
    demands: tuple[Demand, ...]
    blocked: Expected | None = None
    offers: tuple[Offer, ...] = ()


def draft_of(live: Live, index: int, workload: Workload) -> Draft:
    """The draft of the workload at that place in the files."""
    need = need_of(workload.pod, live.sizing, count_of(workload.pod, workload.service))
    present = present_of(live, workload)
    if isinstance(need, Unsized):
        return Draft(workload, need, (), tuple(each for each in present if each.placed), bool(present), ())
    first = demand_for(workload, need, index, 0)
    changed = any(_asks_otherwise(each, first) for each in present)
    placed = [each for each in present if each.placed and not changed]
    kept = tuple(placed[: workload.replicas])
    gone = tuple(each for each in present if each.placed and each not in kept)
    comes = range(len(kept), workload.replicas)
    asked = [demand_for(workload, need, index, replica) for replica in comes]
    demands = _aged_as(live, asked, () if changed else tuple(each for each in present if not each.placed))
    return Draft(workload, need, kept, gone, changed, tuple(_prioritised(live, each, present) for each in demands))


def _aged_as(live: Live, asked: Sequence[Demand], waiting: Sequence[Present]) -> tuple[Demand, ...]:
    """As old as the pods of the service that wait already, the oldest first, and with what is kept for these; the
    others come now, in the order of the files.
    """
    now = live.cluster.clock.now().timestamp()
    there = sorted(_waiting(live, waiting), key=lambda each: (each.created_seconds, each.key))
    return tuple(
        _in_place_of(there[place], each)
        if place < len(there)
        else replace(each, created_seconds=now + each.created_seconds)
        for place, each in enumerate(asked)
    )


def _waiting(live: Live, present: Sequence[Present]) -> Iterator[Demand]:
    """What the service's pods ask for that have no place yet."""
    for each in present:
        asked = asked_of(live, each.key)
        if asked is not None:
            yield asked.demand


def _in_place_of(present: Demand, wanted: Demand) -> Demand:
    """What the files want, as the claim that waits for it: places are kept for that one, or for its controller's."""
    return replace(
        wanted,
        key=present.key,
        uid=present.uid,
        created_seconds=present.created_seconds,
        owner=present.owner,
        template_hash=present.template_hash,
        family=present.family,
        revision=present.revision,
        newest=present.newest,
    )


def _prioritised(live: Live, demand: Demand, present: Iterable[Present]) -> Demand:
    """With the priority that its pods have now: only the API server knows that of a class's name."""
    pods = (live.cluster.pod_table.of_claim(each.claim) for each in present)
    return replace(demand, priority=max((pod.priority for pod in pods if pod is not None), default=demand.priority))


def present_of(live: Live, workload: Workload) -> list[Present]:
    """The claims of its pods that live, those with a place first."""
    found = []
    for key, claim in live.cluster.claim_table.items():
        pod = live.cluster.pod_table.of_claim(claim) if claim.metadata.namespace == workload.namespace else None
        if pod is not None and not pod.terminal and not pod.deleting and _is_of(workload, pod.name, pod.labels):
            found.append(Present(key, claim))
    return sorted(found, key=lambda each: (not each.placed, each.key))


def _is_of(workload: Workload, pod: str, labels: Mapping[str, str]) -> bool:
    """Whether a pod is one of the workload's: by its template's labels, or KServe's own, or its name."""
    if workload.kind == "Pod":
        return pod == workload.name
    own = workload.pod.labels
    if own:
        return all(labels.get(key) == value for key, value in own.items())
    return labels.get(POD_LABEL) == workload.name


def _asks_otherwise(present: Present, demand: Demand) -> bool:
    claim = present.claim
    if claim.spec.requirement.memory is None or claim.spec.policy_ref != demand.policy:
        return True
    return requirement_of(claim) != demand.requirement
