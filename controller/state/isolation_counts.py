"""How many claims have a partition, by what keeps their models apart from their neighbours."""

from collections import Counter
from collections.abc import Iterable

from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import IsolationLabel
from controller.state.occupancy import HOLDING


def isolation_counts(claims: Iterable[GPUPartitionClaim]) -> list[tuple[float, dict[str, str]]]:
    """A row for each isolation, those that nobody has included; members of a share group have one claim together."""
    counted = Counter(
        claim.status.allocation.isolation
        for claim in claims
        if claim.status.allocation is not None and claim.status.phase in HOLDING
    )
    return [(float(counted[label]), {"isolation": label.value}) for label in IsolationLabel]
