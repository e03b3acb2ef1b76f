"""The ways to ask for less of a claim's model: sized as the claim was, with one figure of its request another.

Members of a share group have none: what they share is one partition, and it was asked for by all of them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from api.group import SERVICE_LABEL
from api.v1beta1 import InferenceService
from controller.placement.changes.change import Kind
from controller.placement.changes.smaller import Smaller
from controller.placement.demand import Demand
from controller.placement.scheduler import MOST_DEVICES
from controller.reconcilers.gpu_partition_claim.admit import Need, Unsized, need_of, required_bytes
from controller.sizing.errors import SizingError
from controller.sizing.precision import Precision
from controller.sizing.requirement import Sizing, SizingRequest
from controller.state.models import Models
from controller.translate.pod import PodView
from controller.translate.request import MOST_PARTITIONS
from controller.translate.sizing_fields import ANNOTATION_OF, FIELD_OF

#: Nobody is advised to serve less than that many tokens.
LEAST_LENGTH: Final = 1024
_Way: TypeAlias = tuple[Kind, str, int | str, int]
_OTHERS: Final = (Precision.BF16, Precision.FP8, Precision.INT8, Precision.INT4, Precision.MXFP4)


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
        return [*self._halved(demand, need), *self._precisions(demand, need), *self._counts(demand, need)]

    def _halved(self, demand: Demand, need: Need) -> Iterator[Smaller]:
        now = need.sizing
        for value in _halves(now.max_concurrency, 1):
            lost, sized = _lost(value, now.max_concurrency), self._sized(demand, need, _with(max_concurrency=value))
            yield from self._way(demand, need, (Kind.CONCURRENCY, "max_concurrency", value, lost), sized)
        for value in _halves(now.max_model_len, LEAST_LENGTH):
            lost, sized = _lost(value, now.max_model_len), self._sized(demand, need, _with(max_model_len=value))
            yield from self._way(demand, need, (Kind.LENGTH, "max_model_len", value, lost), sized)

    def _precisions(self, demand: Demand, need: Need) -> Iterator[Smaller]:
        now = need.sizing
        for precision in _OTHERS:
            if precision is now.precision:
                continue
            sized = self._sized(demand, need, _with(precision=precision))
            if sized is not None:
                # one that takes more helps where no GPU serves the present one: nothing is lost then
                lost = max(0, _lost(sized.weights_bytes, now.weights_bytes))
                yield from self._way(demand, need, (Kind.PRECISION, "precision", precision.value, lost), sized)

    def _counts(self, demand: Demand, need: Need) -> Iterator[Smaller]:
        """All other numbers of partitions that the model can be spread over and a pod can have."""
        present = demand.requirement.count
        most = MOST_PARTITIONS if demand.resource else MOST_DEVICES
        for count in self.sizing.counts(need.request.sizing, most, need.request.profile):
            if count == present:
                continue
            other = replace(demand, requirement=replace(demand.requirement, count=count))
            # one more takes as much again of the cluster, one less takes nothing from anybody
            lost = 1000 * (count - present) if count > present else present - count
            way = Kind.COUNT, "tensor_parallel", count, lost
            yield from self._way(other, need, way, self._sized(other, need, _with()))

    def _sized(self, demand: Demand, need: Need, change: Callable[[SizingRequest], SizingRequest]) -> Sizing | None:
        asked = replace(need.request.sizing, tensor_parallel=demand.requirement.count)
        try:
            return self.sizing.size(change(asked), need.request.profile)
        except SizingError:
            return None  # the model has it not: no way

    def _way(self, demand: Demand, need: Need, way: _Way, sized: Sizing | None) -> Iterator[Smaller]:
        if sized is None:
            return
        size = required_bytes(replace(need, sizing=sized), self.service)
        asked = replace(demand.requirement, bytes=size, precision=sized.precision)
        if asked != demand.requirement or way[0] is Kind.COUNT:
            yield Smaller(way[0], self._field(way[1]), str(way[2]), way[3], asked)

    def _field(self, figure: str) -> str:
        """Where the owner of the pod writes the figure."""
        if self.pod.resource and figure == "tensor_parallel":
            return f"the pod's limit of {self.pod.resource}"
        return FIELD_OF[figure] if SERVICE_LABEL in self.pod.labels else ANNOTATION_OF[figure]


def _with(**fields: Any) -> Callable[[SizingRequest], SizingRequest]:
    return lambda request: replace(request, **fields)


def _halves(present: int, least: int) -> Iterator[int]:
    value = present // 2
    while value >= least:
        yield value
        value //= 2


def _lost(value: int, before: int) -> int:
    """How much of `before` is gone, in thousandths."""
    return 1000 - 1000 * value // before if before else 0
