"""The wish for larger partitions: `status.resizeRequest` while a budget is used up too fast, until that is over.

It is written once a burn has lasted over two windows (`error_budget.TIERS`) and taken away when nothing has burned for
hours, so it does not come and go with the load of a minute. Whether and when it is followed is `resizing`'s to decide.
Requests that somebody else wrote, for another reason, are left alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api.quantity import format_bytes
from api.v1beta1 import GPUPartitionClaim, InferenceService
from api.v1beta1.inference_service import ResizeRequest
from controller.gpu.compute_units import next_units
from controller.gpu.mode import Mode, ModeError
from controller.gpu.product import Product, UnknownProduct, product_named
from controller.qos.error_budget import Tier
from controller.reconcilers.inference_service.objectives import Levels
from controller.state.cluster import Cluster
from controller.state.occupancy import HOLDING
from controller.translate.objectives import burn_text

REASON: Final = "ErrorBudgetBurns"
#: Beyond what a partition has by the table and by the device: the next size of partition is larger by gigabytes.
_MORE: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Held:
    """The smallest partition that the pods have: compute units, None of a product that nobody knows, and bytes."""

    units: int | None
    bytes: int


def wish(
    service: InferenceService,
    levels: Levels,
    held: Held | None,
    larger: Callable[[int], int | None],
    now: datetime,
) -> ResizeRequest | None:
    """What is to be in the status. `larger` tells the units of the next larger partition, None where there is none.

    A service that is not served, or is moving, wishes nothing new: what is counted meanwhile says nothing about the
    size of its partitions.
    """
    present = service.status.resize_request
    if present is not None and present.reason != REASON:
        return present
    worst = levels.worst
    if worst is None or worst.budget.tier is None:
        return None if levels.calm else present
    if held is None or not _settled(service):
        return present
    burn = burn_text(worst.budget.burn)
    if present is not None and not _in_vain(service, present, held, worst.budget.tier, now):
        return present.model_copy(update={"observed_burn": burn})
    wanted = _more(held, larger)
    if wanted is None:
        return present
    units, memory = wanted
    return ResizeRequest(reason=REASON, want_memory=memory, want_compute_units=units, since=now, observed_burn=burn)


def _more(held: Held, larger: Callable[[int], int | None]) -> tuple[int | None, str | None] | None:
    """The next size: compute units, or bytes where units are not known; None where nothing is larger."""
    if held.units is None:
        return None, format_bytes(held.bytes + _MORE)
    units = larger(held.units)
    return None if units is None else (units, None)


def _settled(service: InferenceService) -> bool:
    status = service.status
    return status.ready_replicas > 0 and (status.applied is None or status.applied.strategy is None)


def _in_vain(service: InferenceService, present: ResizeRequest, held: Held, tier: Tier, now: datetime) -> bool:
    """Whether the pods have what was wanted, for as long as the tier looks back, and it burns all the same."""
    if present.want_compute_units is None or held.units is None or held.units < present.want_compute_units:
        return False
    resize = service.status.applied.resize if service.status.applied is not None else None
    since = max(filter(None, (present.since, resize.time if resize is not None else None)), default=None)
    return since is not None and (now - since).total_seconds() > tier.long_seconds


class Partitions:
    """What the pods of services hold, and what there is besides."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def held(self, claims: Sequence[GPUPartitionClaim]) -> Held | None:
        """The smallest partition of the pods; None where no pod has any."""
        devices = [
            (claim.status.allocation.node, device)
            for claim in claims
            if claim.status.allocation is not None and claim.status.phase in HOLDING
            for device in claim.status.allocation.devices
        ]
        if not devices:
            return None
        units = [self._units(node, device.bdf, device.mode) for node, device in devices]
        known = [count for count in units if count is not None]
        return Held(min(known) if len(known) == len(units) else None, min(device.bytes for _, device in devices))

    def larger(self, units: int) -> int | None:
        """Compute units of the next larger kind of partition of the products that are here."""
        products = (_product(name) for name in sorted(self._cluster.products.known))
        return next_units([product for product in products if product is not None], units)

    def _units(self, node: str, bdf: str, mode: str) -> int | None:
        reported = self._cluster.gpu_node_table.get(node)
        gpu = next((gpu for gpu in reported.status.gpus if gpu.bdf == bdf), None) if reported is not None else None
        product = _product(gpu.product) if gpu is not None else None
        if product is None:
            return None
        try:
            return product.partition_compute_units(Mode.parse(mode))
        except ModeError:
            return None


def _product(name: str) -> Product | None:
    try:
        return product_named(name)
    except UnknownProduct:
        return None
