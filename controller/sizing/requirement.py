"""From a request to the bytes it needs, and to the partition modes that have them."""

from dataclasses import dataclass

from controller.gpu.mode import Mode
from controller.gpu.product import Product
from controller.sizing.catalog import Catalog, ModelFacts
from controller.sizing.errors import LengthTooLong, OutOfRange
from controller.sizing.kv_cache import kv_bytes_per_token, kv_cache_bytes
from controller.sizing.overhead import overhead_bytes
from controller.sizing.precision import Precision, resolve_precision
from controller.sizing.weights import weights_bytes

DEFAULT_MODEL_LEN = 8192
"""Tokens of the longest request when none is asked for: what most chat traffic stays below. The model's own maximum
where that is less; taking always the maximum would reserve 10 million tokens for Llama 4."""

DEFAULT_CONCURRENCY = 8
"""Requests of full length held at once when none are asked for: a partition serves a few users, not a fleet."""

MAX_MODEL_LEN = 100_000_000
MAX_CONCURRENCY = 65_536


@dataclass(frozen=True, slots=True)
class SizingRequest:
    """What is to be served. None takes the default: ``min(model's maximum, 8192)`` tokens, 8 concurrent requests."""

    model_id: str
    precision: Precision = Precision.AUTO
    max_model_len: int | None = None
    max_concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class Sizing:
    """What a request needs, in bytes. The total is the sum of weights, KV cache and overhead, and the overhead holds
    a margin of 3 %. ``precision`` is resolved, never ``auto``; length and concurrency are those counted with.
    """

    model_id: str
    precision: Precision
    max_model_len: int
    max_concurrency: int
    weights_bytes: int
    kv_cache_bytes: int
    overhead_bytes: int
    total_bytes: int
    kv_bytes_per_token: int


@dataclass(frozen=True, slots=True)
class Fit:
    """A way to hold a requirement: ``count`` partitions of a product (by name) in a mode, and the bytes left over."""

    product: str
    mode: Mode
    count: int
    headroom_bytes: int


class ModelSizingConfig:
    """Sizes models of one catalogue."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def size(self, request: SizingRequest) -> Sizing:
        """What ``request`` needs. Raises UnknownModel, UnsupportedPrecision, LengthTooLong or OutOfRange."""
        facts = self._catalog.get(request.model_id)
        precision = resolve_precision(facts, request.precision)
        length = _model_len(facts, request.max_model_len)
        concurrency = _concurrency(request.max_concurrency)
        weights = weights_bytes(facts, precision)
        kv_cache = kv_cache_bytes(facts, length, concurrency)
        overhead = overhead_bytes(facts, concurrency, weights, kv_cache)
        return Sizing(
            model_id=facts.model_id,
            precision=precision,
            max_model_len=length,
            max_concurrency=concurrency,
            weights_bytes=weights,
            kv_cache_bytes=kv_cache,
            overhead_bytes=overhead,
            total_bytes=weights + kv_cache + overhead,
            kv_bytes_per_token=kv_bytes_per_token(facts),
        )


def fits(product: Product, total_bytes: int) -> tuple[Fit, ...]:
    """The allowed modes in which one partition holds ``total_bytes``, the smallest partitions first.

    Among equal sizes the modes AMD validates come first. Empty when not even the whole GPU is large enough.
    """
    sized = [(product.partition_bytes(mode), mode) for mode in product.allowed]
    ordered = sorted(sized, key=lambda pair: (pair[0], pair[1] not in product.validated, pair[1]))
    return tuple(Fit(product.name, mode, 1, size - total_bytes) for size, mode in ordered if size >= total_bytes)


def _model_len(facts: ModelFacts, asked: int | None) -> int:
    limit = facts.max_position_embeddings
    if asked is None:
        return min(limit or DEFAULT_MODEL_LEN, DEFAULT_MODEL_LEN)
    if not 1 <= asked <= MAX_MODEL_LEN:
        raise OutOfRange("max_model_len", asked, 1, limit or MAX_MODEL_LEN)
    if limit is not None and asked > limit:
        raise LengthTooLong(facts.model_id, asked, limit)
    return asked


def _concurrency(asked: int | None) -> int:
    if asked is None:
        return DEFAULT_CONCURRENCY
    if not 1 <= asked <= MAX_CONCURRENCY:
        raise OutOfRange("max_concurrency", asked, 1, MAX_CONCURRENCY)
    return asked
