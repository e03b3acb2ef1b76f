"""The claims as rows of gauges: how many by phase and isolation, who waits and why, what models were sized at.

Kept up claim by claim, behind the table of claims: a scrape costs what there is to tell, and not the claims there are.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from api.condition import find_condition
from api.quantity import parse_quantity
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import ClaimPhase, IsolationLabel
from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest
from controller.state.occupancy import HOLDING
from controller.state.sums import Sums
from controller.state.table import Table
from controller.telemetry.bounds import MOST_SERVICES, OTHER
from controller.telemetry.families import Labels

UNDECIDED: Final = "Undecided"
"""The reason of a claim that waits and has not been told why."""


class SizedFor(NamedTuple):
    """A model that claims were sized for: its id, the ModelProfile asked (or none), and the bytes of a partition."""

    model: str
    profile: str | None
    bytes: int


@dataclass(frozen=True, slots=True)
class _Waiting:
    namespace: str
    reason: str
    since: datetime | None


class ClaimGauges:
    """Follows the claims. `take` goes behind the table that it reads. Namespaces beyond `most` are ``other``."""

    def __init__(self, claims: Table[Manifest, GPUPartitionClaim], most: int = MOST_SERVICES) -> None:
        self._claims = claims
        self._most = most
        self._phases: Sums[ClaimPhase] = Sums()
        self._isolation: Sums[IsolationLabel] = Sums()
        self._sized: Sums[SizedFor] = Sums()
        self._waiting: dict[str, _Waiting] = {}

    def take(self, event: StoreEvent[Manifest]) -> None:
        """Count the claim as it is now."""
        key, claim = event.key, self._claims.get(event.key)
        self._phases.put(key, {} if claim is None else {claim.status.phase: 1})
        self._isolation.put(key, _isolation(claim))
        self._sized.put(key, _sized(claim))
        if claim is not None and claim.status.phase is ClaimPhase.PENDING:
            told = find_condition(claim.status.conditions, "Bound")
            reason = told.reason if told is not None else UNDECIDED
            self._waiting[key] = _Waiting(claim.metadata.namespace or "", reason, waiting_since(claim))
        else:
            self._waiting.pop(key, None)

    def phases(self) -> list[tuple[Labels, float]]:
        """Claims by phase, those that none is in included."""
        return [((phase.value,), float(self._phases.totals.get(phase, 0))) for phase in ClaimPhase]

    def isolation(self) -> list[tuple[Labels, float]]:
        """Claims that have a partition by isolation, those that nobody has included.

        Members of a share group have one claim together.
        """
        return [((label.value,), float(self._isolation.totals.get(label, 0))) for label in IsolationLabel]

    def pending(self) -> list[tuple[Labels, float]]:
        """Claims that wait, by namespace and reason."""
        counted = Counter(labels for labels, _ in self._who_waits())
        return [(labels, float(count)) for labels, count in sorted(counted.items())]

    def oldest(self, now: datetime) -> list[tuple[Labels, float]]:
        """Seconds that the claim which waits longest has waited, by namespace and reason."""
        found: dict[Labels, datetime] = {}
        for labels, since in self._who_waits():
            if since is not None:
                found[labels] = min(since, found.get(labels, since))
        return [(labels, max(0.0, (now - since).total_seconds())) for labels, since in sorted(found.items())]

    def _who_waits(self) -> Iterator[tuple[Labels, datetime | None]]:
        named = frozenset(sorted({each.namespace for each in self._waiting.values()})[: self._most])
        for each in self._waiting.values():
            yield (each.namespace if each.namespace in named else OTHER, each.reason), each.since

    @property
    def sized(self) -> Mapping[SizedFor, int]:
        """What models of claims that have a partition were sized at, with the number of these claims."""
        return self._sized.totals


def waiting_since(claim: GPUPartitionClaim) -> datetime | None:
    """Since when a claim that waits has done so, by its condition Allocated; one that has none yet, since it was made.

    That flips as others let the pod go, and as a partition that the claim had is lost; not where one was bound that the
    pod never got.
    """
    told = find_condition(claim.status.conditions, "Allocated")
    return told.last_transition_time if told is not None else claim.metadata.creation_timestamp


def needed_bytes(claim: GPUPartitionClaim) -> int | None:
    """What each partition of a claim was sized at, of a share group's what its members have; None: not known."""
    if claim.status.shares:
        return sum(share.bytes for share in claim.status.shares)
    memory = claim.spec.requirement.memory
    return parse_quantity(memory) if memory is not None else None


def _isolation(claim: GPUPartitionClaim | None) -> Mapping[IsolationLabel, int]:
    allocation = claim.status.allocation if claim is not None else None
    if claim is None or allocation is None or allocation.isolation is None or claim.status.phase not in HOLDING:
        return {}
    return {allocation.isolation: 1}


def _sized(claim: GPUPartitionClaim | None) -> Mapping[SizedFor, int]:
    model = claim.spec.model if claim is not None else None
    need = needed_bytes(claim) if claim is not None else None
    if claim is None or model is None or need is None or claim.status.phase not in HOLDING:
        return {}
    return {SizedFor(model.id, model.profile_ref, need): 1}
