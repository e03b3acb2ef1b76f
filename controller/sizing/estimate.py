"""From the facts of a model and a request to the bytes one rank needs, part by part."""

from dataclasses import dataclass, replace

from controller.sizing.activation import activation
from controller.sizing.beside import beside
from controller.sizing.budget import Start
from controller.sizing.engine import (
    AS_WE_START_IT,
    EngineSettings,
    graph_bytes,
    in_default_image,
    non_torch_bytes,
    resolved,
)
from controller.sizing.errors import LengthTooLong, NotDivisible, OutOfRange, shortened
from controller.sizing.facts import ModelFacts
from controller.sizing.kv_cache import KvStorage, kv_bytes_per_token
from controller.sizing.kv_pool import KvPool
from controller.sizing.loading import loaded_weights_bytes, loading_bytes
from controller.sizing.margin import Parts, Uncertainty, margin_bytes, uncertainty
from controller.sizing.precision import Precision, resolve_precision
from controller.sizing.tensor_parallel import possible_ranks, undivided

DEFAULT_MODEL_LEN = 8192
"""Tokens of the longest request when none is asked for: what most chat traffic stays below. The model's own maximum
where that is less; taking always the maximum would reserve 10 million tokens for Llama 4."""

DEFAULT_CONCURRENCY = 8
"""Requests of full length held at once when none are asked for: a partition serves a few users, not a fleet."""

MAX_MODEL_LEN = 100_000_000
MAX_CONCURRENCY = 65_536
MAX_TENSOR_PARALLEL = 64


@dataclass(frozen=True, slots=True)
class SizingRequest:
    """What is to be served. None takes the default: ``min(model's maximum, 8192)`` tokens, 8 concurrent requests.

    ``tensor_parallel`` is the number of ranks, each on a partition of its own.
    """

    model_id: str
    precision: Precision = Precision.AUTO
    max_model_len: int | None = None
    max_concurrency: int | None = None
    tensor_parallel: int = 1
    engine: EngineSettings = AS_WE_START_IT


@dataclass(frozen=True, slots=True)
class Sizing:
    """What a request needs of one rank's partition, in bytes, and with which settings it was counted.

    ``precision`` is resolved, never ``auto``; length and concurrency are those counted with, as the engine's
    settings. The total is the sum of weights, KV cache and overhead; the overhead that of activations, non-torch,
    graphs, loading and margin. ``loading_bytes`` is what loading takes beyond all that is there afterwards, mostly 0.
    ``beside_bytes`` are no part: they must be left of the partition beside the engine's share, by the version of the
    settings or else of our default image. Graphs and margin cover them. ``uncounted_bytes`` are no part either: what a
    start takes that no part is, which the margin has room for.
    """

    model_id: str
    precision: Precision
    max_model_len: int
    max_concurrency: int
    tensor_parallel: int
    engine: EngineSettings
    weights_bytes: int
    kv_cache_bytes: int
    activation_bytes: int
    non_torch_bytes: int
    graph_bytes: int
    margin_bytes: int
    kv_bytes_per_token: int
    uncertainty: Uncertainty
    loading_bytes: int = 0
    beside_bytes: int = 0
    uncounted_bytes: int = 0

    @property
    def overhead_bytes(self) -> int:
        """Everything but weights and KV cache."""
        parts = (self.activation_bytes, self.non_torch_bytes, self.graph_bytes, self.loading_bytes, self.margin_bytes)
        return sum(parts)

    @property
    def total_bytes(self) -> int:
        """What one partition must have."""
        return self.weights_bytes + self.kv_cache_bytes + self.overhead_bytes

    @property
    def all_ranks_bytes(self) -> int:
        """What all partitions together must have."""
        return self.tensor_parallel * self.total_bytes


def estimate_model_size(facts: ModelFacts, request: SizingRequest) -> Sizing:
    """What ``request`` needs of a model with these facts, wherever they are from; its ``model_id`` is not looked at.

    Raises UnsupportedPrecision, LengthTooLong, NotDivisible or OutOfRange.
    """
    precision = resolve_precision(facts, request.precision)
    length = _model_len(facts, request.max_model_len)
    concurrency = _concurrency(request.max_concurrency)
    ranks = _tensor_parallel(facts, precision, request.tensor_parallel)
    engine = _engine(request, precision, concurrency)
    wide = 4 if precision is Precision.FP32 else 2
    storage = KvStorage(engine.kv_element_bytes, ranks)
    profiled = activation(facts, engine, ranks, wide)
    start = Start(facts, precision, in_default_image(engine), 0, length, ranks)
    left = beside(start, profiled)
    parts = Parts(
        weights_bytes=loaded_weights_bytes(facts, precision, engine, ranks),
        kv_cache_bytes=KvPool.of(facts, engine, ranks).bytes_for(length, concurrency),
        activation_bytes=profiled.peak_bytes,
        non_torch_bytes=non_torch_bytes(engine, ranks),
        graph_bytes=graph_bytes(engine, facts),
        uncounted_bytes=left.uncounted_bytes,
    )
    parts = _with_loading(parts, loading_bytes(facts, precision, engine, ranks))
    return Sizing(
        model_id=facts.model_id,
        precision=precision,
        max_model_len=length,
        max_concurrency=concurrency,
        tensor_parallel=ranks,
        engine=engine,
        weights_bytes=parts.weights_bytes,
        kv_cache_bytes=parts.kv_cache_bytes,
        activation_bytes=parts.activation_bytes,
        non_torch_bytes=parts.non_torch_bytes,
        graph_bytes=parts.graph_bytes,
        margin_bytes=margin_bytes(parts),
        kv_bytes_per_token=kv_bytes_per_token(facts, storage),
        uncertainty=uncertainty(parts, engine.platform),
        loading_bytes=parts.loading_bytes,
        beside_bytes=left.needed_bytes,
        uncounted_bytes=parts.uncounted_bytes,
    )


def _with_loading(parts: Parts, while_loading: int) -> Parts:
    """The parts of a rank that needs so many bytes beside its weights while it loads, when nothing else is there yet.

    Cache, activations and graphs follow; only what they leave uncovered comes on top.
    """
    afterwards = parts.kv_cache_bytes + parts.activation_bytes + parts.graph_bytes
    return replace(parts, loading_bytes=max(0, while_loading - afterwards))


def _engine(request: SizingRequest, precision: Precision, concurrency: int) -> EngineSettings:
    """The settings, resolved. Left alone, an engine keeps keys and values in the type it computes in."""
    settings = resolved(request.engine, concurrency)
    if precision is Precision.FP32 and settings.kv_cache_dtype == "auto":
        return replace(settings, kv_cache_dtype="float32")
    return settings


def _model_len(facts: ModelFacts, asked: int | None) -> int:
    limit = facts.shape.max_position_embeddings
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


def _tensor_parallel(facts: ModelFacts, precision: Precision, asked: int) -> int:
    if not 1 <= asked <= MAX_TENSOR_PARALLEL:
        raise OutOfRange("tensor_parallel", asked, 1, MAX_TENSOR_PARALLEL)
    problem = undivided(facts, precision, asked)
    if asked > 1 and problem is not None:
        possible = possible_ranks(facts, precision, MAX_TENSOR_PARALLEL)
        raise NotDivisible(asked, f"does not divide {shortened(facts.model_id)}, {problem}", possible)
    return asked
