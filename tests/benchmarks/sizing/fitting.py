"""The constants estimated again from rows, so that a class of architectures can be left out of them.

Every estimate is a median weighed by source: an origin's rows count one together, as 33 rows of one author's sweep say
no more about another machine than a single log. A constant without rows keeps the value of the product.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from types import MappingProxyType

from controller.sizing.activation import activation
from controller.sizing.budget import Start
from controller.sizing.engine import non_torch_bytes
from controller.sizing.engine_constants import CONSTANTS, GIB, EngineConstants
from controller.sizing.engine_version import Generation
from tests.benchmarks.sizing.observation import Observation

_FUSED = (0, 14)
_MASKED = (0, 17)
_MORE_CONTEXT = (0, 18)
"""Releases at which a constant changes, as in ``controller/sizing/engine.py`` and ``activation.py``."""

_EQUAL = 1e-9


@dataclass(frozen=True, slots=True)
class Sample:
    """A row and its start."""

    row: Observation
    start: Start


def fitted(rows: Iterable[Sample]) -> EngineConstants:
    """The constants that these rows say: those whose release is known, as constants go by it."""
    samples = [row for row in rows if _is_dated(row.start)]
    alone = replace(
        CONSTANTS,
        sorting_sampler_bytes=_or(CONSTANTS.sorting_sampler_bytes, _forms(samples, masked=False)),
        masking_sampler_bytes=_or(CONSTANTS.masking_sampler_bytes, _forms(samples, masked=True)),
        non_torch_cuda=_alone(CONSTANTS.non_torch_cuda, samples, _cuda_old),
        non_torch_cuda_since_018=_alone(CONSTANTS.non_torch_cuda_since_018, samples, _cuda_new),
        non_torch_rocm=_alone(CONSTANTS.non_torch_rocm, samples, _rocm),
    )
    return replace(
        alone,
        collectives=int(_or(alone.collectives, _above(samples, alone, fused=False))),
        collectives_since_014=int(_or(alone.collectives_since_014, _above(samples, alone, fused=True))),
        **_graphs(samples),
        **_unsaid(samples),  # type: ignore[arg-type]  # names and types are those of the fields
    )


def _is_dated(start: Start) -> bool:
    version = start.settings.engine_version
    return version.release is not None or version.generation is Generation.V0


def weighted_median(values: Sequence[tuple[float, str]]) -> float:
    """The median of values with their origins; each origin weighs one. Raises ValueError without values."""
    if not values:
        raise ValueError("a median of nothing")
    sizes = Counter(origin for _, origin in values)
    half, weight = len(sizes) / 2, 0.0
    ordered = sorted(values)
    for place, (value, origin) in enumerate(ordered):
        weight += 1 / sizes[origin]
        if abs(weight - half) < _EQUAL and place + 1 < len(ordered):
            return (value + ordered[place + 1][0]) / 2
        if weight > half:
            return value
    return ordered[-1][0]


def _forms(samples: Iterable[Sample], *, masked: bool) -> list[tuple[float, str]]:
    """Bytes of a logit in the profile's sampler, where the sampler led and its peak was printed."""
    found = []
    for sample in samples:
        start, peak = sample.start, sample.row.activation_peak_gib
        since = start.settings.engine_version.since(*_MASKED)
        if peak is None or since is not masked or start.element_bytes != 2 or start.pipeline_parallel > 1:
            continue
        logits = min(start.settings.max_num_seqs or 0, start.settings.max_num_batched_tokens or 0)
        logits *= start.facts.shape.vocab_size
        parts = activation(start.facts, start.settings, start.tensor_parallel)
        form = CONSTANTS.masking_sampler_bytes if masked else CONSTANTS.sorting_sampler_bytes
        if parts.sampler_bytes > parts.layer_bytes:
            found.append((form + (peak * GIB - parts.peak_bytes) / logits, sample.row.origin))
    return found


def _cuda_old(start: Start) -> bool:
    # V0 measured otherwise: 0.01 to 1.8, by what else ran on the device
    version = start.settings.engine_version
    is_v1 = version.generation is Generation.V1
    return start.settings.platform == "cuda" and is_v1 and not version.since(*_MORE_CONTEXT)


def _cuda_new(start: Start) -> bool:
    return start.settings.platform == "cuda" and start.settings.engine_version.since(*_MORE_CONTEXT)


def _rocm(start: Start) -> bool:
    return start.settings.platform == "rocm"


def _alone(ours: int, samples: Iterable[Sample], of: Callable[[Start], bool]) -> int:
    """Non-torch of one rank alone."""
    found = [
        (sample.row.non_torch_gib * GIB, sample.row.origin)
        for sample in samples
        if sample.row.non_torch_gib is not None and sample.start.tensor_parallel == 1 and of(sample.start)
        if sample.start.pipeline_parallel == 1
    ]
    return int(_or(ours, found))


def _above(samples: Iterable[Sample], alone: EngineConstants, *, fused: bool) -> list[tuple[int, str]]:
    """What non-torch is more with tensor parallelism."""
    found = []
    for sample in samples:
        start, printed = sample.start, sample.row.non_torch_gib
        is_fused = start.settings.platform == "cuda" and start.settings.engine_version.since(*_FUSED)
        is_v1 = start.settings.engine_version.generation is Generation.V1
        if printed is None or start.tensor_parallel == 1 or is_fused is not fused or not is_v1:
            continue
        found.append((int(printed * GIB) - non_torch_bytes(start.settings, 1, alone), sample.row.origin))
    return found


def _graphs(samples: Iterable[Sample]) -> dict[str, int]:
    """A line over the number of layers, in the one setup that has the most depths.

    Between setups graphs differ by what the driver takes for them, up to 1 GiB: a line through all says less of any.
    """
    setups: dict[object, list[tuple[int, float]]] = defaultdict(list)
    for sample in samples:
        row, start = sample.row, sample.start
        if row.cuda_graph_gib is not None and start.settings.engine_version.generation is Generation.V1:
            layers = start.facts.shape.num_hidden_layers // start.pipeline_parallel
            setups[row.origin, row.gpu, row.engine_version].append((layers, row.cuda_graph_gib))
    points = max(setups.values(), key=lambda found: len({layers for layers, _ in found}), default=[])
    slopes = [(y - v) / (x - u) for x, y in points for u, v in points if x > u]
    if not slopes:
        return {}
    slope = median(slopes)
    fixed = median(printed - slope * layers for layers, printed in points)
    return {"graphs_per_layer": int(slope * GIB), "graphs_fixed": int(fixed * GIB)}


def _unsaid(samples: Sequence[Sample]) -> dict[str, int | None]:
    """Nothing for what the budget does not count where no row of such starts is left to say that there is anything.

    The figures themselves are in the logs and in no column of the rows, so with one row left they are what they were.
    That experts are laid out anew is in the engine's source, whatever the rows: how much that takes is unknown then.
    """
    return {name: _UNKNOWN.get(name, 0) for name, of in _SAID_BY.items() if not any(map(of, samples))}


def _held_early(sample: Sample, platform: str) -> bool:
    """Of an engine that connects ranks before it looks what is free."""
    settings = sample.start.settings
    version = settings.engine_version
    return settings.platform == platform and version.generation is Generation.V1 and version.since(*_EARLY)


def _in_parallel(sample: Sample) -> bool:
    return sample.start.tensor_parallel > 1


def _died_behind_mxfp4(sample: Sample) -> bool:
    quantization = sample.start.facts.checkpoint.quantization
    return sample.row.outcome == "oom_after_kv" and quantization is not None and quantization.method == "mxfp4"


_EARLY = (0, 11)

_UNKNOWN: Mapping[str, None] = MappingProxyType({"emptied": None})

_SAID_BY: Mapping[str, Callable[[Sample], bool]] = MappingProxyType(
    {
        "at_start_rocm": lambda row: _held_early(row, "rocm"),
        "at_start_cuda": lambda row: _held_early(row, "cuda"),
        "communicators_cuda": lambda row: _held_early(row, "cuda") and _in_parallel(row),
        "experts_communicator_cuda": lambda row: (
            _held_early(row, "cuda") and _in_parallel(row) and row.start.facts.shape.experts is not None
        ),
        "parallel_growth": lambda row: _held_early(row, "rocm") and _in_parallel(row),
        "graphs_kept_before_018": lambda row: _rocm(row.start) and row.row.cuda_graph_gib is not None,
        "emptied": _died_behind_mxfp4,
    }
)
"""Which rows are of the starts that a constant was read off."""


def _or(ours: float, found: Sequence[tuple[float, str]]) -> float:
    return weighted_median(found) if found else ours
