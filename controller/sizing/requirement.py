"""The front door of the room: sizes by model id, and the partitions that hold them.

Names are those of the earlier prototype where it had one. The parts are in ``estimate`` (bytes), ``fit`` (partitions)
and ``capacity`` (what a partition could hold).
"""

from collections.abc import Iterable

from controller.gpu.product import PRODUCTS, Product
from controller.sizing.capacity import PartitionCheck, check_partition
from controller.sizing.catalog import Catalog
from controller.sizing.estimate import (
    DEFAULT_CONCURRENCY,
    DEFAULT_MODEL_LEN,
    MAX_CONCURRENCY,
    MAX_MODEL_LEN,
    Sizing,
    SizingRequest,
    estimate_model_size,
)
from controller.sizing.facts import ModelFacts
from controller.sizing.fit import NO_HEADROOM, Fit, Headroom, fits, optimal_partitions
from controller.sizing.precision import Precision, resolve_precision
from controller.sizing.tensor_parallel import possible_ranks

__all__ = [
    "DEFAULT_CONCURRENCY",
    "DEFAULT_MODEL_LEN",
    "MAX_CONCURRENCY",
    "MAX_MODEL_LEN",
    "Fit",
    "ModelSizingConfig",
    "Sizing",
    "SizingRequest",
    "estimate_model_size",
    "fits",
]


class ModelSizingConfig:
    """Sizes models of one catalogue. Every method raises UnknownModel or UnknownFacts for an id without facts."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    @property
    def weights_exist(self) -> bool:
        """Whether someone vouches that what is loaded for a model has whatever precision is asked for."""
        return False

    def facts(self, model_id: str) -> ModelFacts:
        """What the model is sized by."""
        return self._catalog.get(model_id)

    def size(self, request: SizingRequest) -> Sizing:
        """What ``request`` needs. Raises UnsupportedPrecision, LengthTooLong, NotDivisible or OutOfRange besides."""
        return self.estimate_model_size(self._catalog.get(request.model_id), request)

    def possible_ranks(self, request: SizingRequest, most: int) -> tuple[int, ...]:
        """The numbers of ranks up to ``most`` among which the request's model can be divided."""
        facts = self._catalog.get(request.model_id)
        return possible_ranks(facts, resolve_precision(facts, request.precision), most)

    def get_model_size(self, model_id: str, precision: Precision = Precision.AUTO) -> Sizing:
        """What a model of the catalogue needs with default length and concurrency."""
        return self.size(SizingRequest(model_id, precision))

    def estimate_model_size(self, facts: ModelFacts, request: SizingRequest) -> Sizing:
        """What ``request`` needs of a model that need not be in the catalogue."""
        return estimate_model_size(facts, request)

    def validate_model_fits_partition(
        self, request: SizingRequest, partition_bytes: int, headroom: Headroom = NO_HEADROOM
    ) -> PartitionCheck:
        """Whether each of the request's ranks fits a partition of so many bytes, and what would."""
        return check_partition(self._catalog.get(request.model_id), request, partition_bytes, headroom)

    def calculate_optimal_partitions(
        self,
        request: SizingRequest,
        products: Iterable[Product] = tuple(PRODUCTS.values()),
        headroom: Headroom = NO_HEADROOM,
        most_gpus: int = 8,
    ) -> tuple[Fit, ...]:
        """The partitions that hold ``request``, the smallest first; see ``fit.optimal_partitions``."""
        return optimal_partitions(self._catalog.get(request.model_id), request, products, headroom, most_gpus)
