"""The ways to ask for less of a claim's model, in the fields of its pod or service, and which of them would ever fit.

Members of a share group have none: what they share is one partition, and it was asked for by all of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from api.group import SERVICE_LABEL
from api.v1beta1 import InferenceService
from controller.placement.changes.change import Kind
from controller.placement.changes.smaller import Smaller, what_fits
from controller.placement.decision import Unplaced
from controller.placement.demand import Demand, Requirement
from controller.placement.room import could_hold
from controller.placement.scheduler import MOST_DEVICES, TOO_LARGE
from controller.placement.snapshot import Snapshot
from controller.reconcilers.gpu_partition_claim.admit import Need, Unsized, need_of, required_bytes
from controller.state.models import Models
from controller.state.other_sizings import Asked, other_sizings
from controller.translate.pod import PodView
from controller.translate.request import MOST_PARTITIONS
from controller.translate.sizing_fields import ANNOTATION_OF, FIELD_OF


@dataclass(frozen=True, slots=True)
class Lesser:
    """What asks for less for one pod: a callable of its demand, as a search for changes takes it."""

    pod: PodView
    service: InferenceService | None
    sizing: Models

    def __call__(self, demand: Demand) -> Sequence[Smaller]:
        """Every way, none for a model that cannot be sized."""
        need = need_of(self.pod, self.sizing, demand.requirement.count)
        if isinstance(need, Unsized) or demand.shared is not None:
            return ()
        return tuple(self._ways(demand, need))

    def _ways(self, demand: Demand, need: Need) -> Iterator[Smaller]:
        request = replace(need.request.sizing, tensor_parallel=demand.requirement.count)
        asked = Asked(request, need.request.profile, need.sizing)
        most = MOST_PARTITIONS if demand.resource else MOST_DEVICES
        for way in other_sizings(self.sizing, asked, most):
            size = required_bytes(replace(need, sizing=way.sizing), self.service)
            count, precision = way.sizing.tensor_parallel, way.sizing.precision
            wanted = replace(demand.requirement, bytes=size, count=count, precision=precision)
            if wanted != demand.requirement:
                yield Smaller(way.kind, self._field(way.kind, way.figure), str(way.value), way.lost, wanted)

    def _field(self, kind: Kind, figure: str) -> str:
        """Where the owner of the pod writes the figure."""
        if self.pod.resource and kind is Kind.COUNT:
            return f"the pod's limit of {self.pod.resource}"
        return FIELD_OF[figure] if SERVICE_LABEL in self.pod.labels else ANNOTATION_OF[figure]


def with_remedy(decision: Unplaced, demand: Demand, lesser: Lesser, snapshot: Snapshot) -> Unplaced:
    """The refusal; of a model that is too large for any GPU also what of it would fit the GPUs that there are."""
    ways = lesser(demand) if decision.reason == TOO_LARGE else ()
    if not ways:
        return decision

    def fits(requirement: Requirement) -> bool:
        return any(could_hold(node, requirement) for node in snapshot.nodes)

    return replace(decision, message=f"{decision.message}; {what_fits(ways, fits)}")
