"""Places kept for claims that wait: as their statuses have them, and as the cycle decided and nobody has stored yet.

They are rebuilt from the API server: an operator that starts anew keeps every place that its predecessor kept.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import ClaimPhase, Nomination, NominationReason
from controller.gpu.identity import PartitionId
from controller.placement.demand import Demand, Resources
from controller.placement.snapshot import Awaited, Reservation
from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest
from controller.state.pods import PodTable


@dataclass(frozen=True, slots=True)
class Nominated:
    """A place kept for one claim. `uid` is the claim's, `pod` the key of its pod, `victims` uids of pods that leave."""

    claim: str
    uid: str
    pod: str
    node: str
    partitions: tuple[PartitionId, ...]
    victims: frozenset[str]
    reserved: bool
    since: datetime

    @classmethod
    def of(cls, demand: Demand, pod: str, kept: Nomination) -> "Nominated":
        """The place that is to be kept for a demand, whose pod has the key `pod`."""
        return _nominated(demand.key, demand.uid, pod, kept)

    @classmethod
    def shown(cls, claim: GPUPartitionClaim) -> "Nominated | None":
        """The place that stands in a claim's status; None without one, or without a pod."""
        namespace, reference, kept = claim.metadata.namespace or "", claim.spec.pod_ref, claim.status.nomination
        if reference is None or kept is None:
            return None
        return _nominated(
            f"{namespace}/{claim.metadata.name}", claim.metadata.uid or "", f"{namespace}/{reference.name}", kept
        )


def _nominated(claim: str, uid: str, pod: str, kept: Nomination) -> Nominated:
    return Nominated(
        claim=claim,
        uid=uid,
        pod=pod,
        node=kept.node,
        partitions=tuple(PartitionId(device.bdf, device.partition) for device in kept.devices),
        victims=frozenset(kept.victims),
        reserved=kept.reason is NominationReason.RESERVATION,
        since=kept.time,
    )


class Nominations:
    """By claim, the place that is kept for it. Follows the informer of claims, and what the cycle decides."""

    def __init__(self, pods: PodTable) -> None:
        self._pods = pods
        self._shown: dict[str, Nominated] = {}
        self._assumed: dict[str, Nominated] = {}

    def take(self, event: StoreEvent[Manifest]) -> None:
        """Apply one informer event. What was assumed ends when it is shown, or the claim waits no more."""
        self._shown.pop(event.key, None)
        status = (event.new or {}).get("status") or {}
        if event.new is not None and not status.get("nomination") and event.key not in self._assumed:
            return
        claim = _waiting(event.new)
        assumed = self._assumed.get(event.key)
        if claim is None or (assumed is not None and assumed.uid != claim.metadata.uid):
            self._assumed.pop(event.key, None)
        shown = Nominated.shown(claim) if claim is not None else None
        if shown is not None:
            self._shown[event.key] = shown
            self._assumed.pop(event.key, None)

    def assume(self, nominated: Nominated) -> None:
        """Count a place that is about to be stored in the claim's status."""
        self._assumed[nominated.claim] = nominated

    def forget(self, claim: str) -> None:
        """Drop what was assumed: it was not stored after all. What the informer shows stays."""
        self._assumed.pop(claim, None)

    def __len__(self) -> int:
        return len(self._shown.keys() | self._assumed.keys())

    def __iter__(self) -> Iterator[Nominated]:
        return iter((self._shown | self._assumed).values())

    def get(self, claim: str) -> Nominated | None:
        """The place kept for a claim, None when there is none."""
        return self._assumed.get(claim) or self._shown.get(claim)

    def priority(self, nominated: Nominated) -> int:
        """Of the claim's pod; 0 for one that is gone."""
        view = self._pods.view(nominated.pod)
        return view.priority if view is not None else 0

    def reservations(self) -> Mapping[tuple[str, PartitionId], Reservation]:
        """The partitions that are kept, by node: of two claims for the one of higher priority, then the older."""
        kept: dict[tuple[str, PartitionId], Reservation] = {}
        for one in sorted(self, key=lambda each: (-self.priority(each), each.since, each.claim)):
            for partition in one.partitions:
                kept.setdefault((one.node, partition), Reservation("", claim=one.uid, priority=self.priority(one)))
        return kept

    def awaited(self, node: str) -> tuple[Awaited, ...]:
        """What the claims with a place on the node will take of it, in order of their keys."""
        there = sorted((one for one in self if one.node == node), key=lambda each: each.claim)
        return tuple(
            Awaited(one.uid, self.priority(one), self._pods.resources(one.pod) or Resources()) for one in there
        )


def _waiting(stored: Manifest | None) -> GPUPartitionClaim | None:
    """The claim while it has no place."""
    status = (stored or {}).get("status") or {}
    # read from the manifest first: this runs for every change of any claim
    if stored is None or status.get("allocation") or status.get("phase", ClaimPhase.PENDING) != ClaimPhase.PENDING:
        return None
    try:
        claim = GPUPartitionClaim.model_validate(stored)
    except ValueError:
        return None  # the table of claims logs it
    return claim
