"""What a row shows of the model's errors: each error is a share, ours over the printed figure, less one."""

from dataclasses import dataclass

from controller.sizing.budget import Start, budget, stage_weights_bytes
from controller.sizing.engine_constants import CONSTANTS, EngineConstants
from controller.sizing.kv_pool import KvPool
from controller.sizing.margin import Parts, Uncertainty, uncertainty
from controller.sizing.verdict import Verdict, judge
from tests.benchmarks.sizing.observation import FAILED, GIB, SUCCEEDED, Observation


@dataclass(frozen=True, slots=True)
class Measured:
    """One predictable row. An error is None where the row printed nothing to compare with, and so is ``need``.

    ``need`` is what the row's parts come to without the KV cache, and ``band`` where it was expected to lie, in bytes.
    ``failed`` is None where the outcome says neither.
    """

    row: Observation
    start: Start
    verdict: Verdict
    weights_error: float | None
    kv_bytes_per_token_error: float | None
    kv_tokens: int
    kv_tokens_error: float | None
    failed: bool | None
    need: int | None
    band: Uncertainty

    @property
    def within_band(self) -> bool:
        """Whether a need that was printed lies where it was expected."""
        return self.need is not None and self.band.low_bytes <= self.need <= self.band.high_bytes


def measured(row: Observation, start: Start, constants: EngineConstants = CONSTANTS) -> Measured:
    """A row's errors."""
    pool = KvPool.of(start.facts, start.settings, start.tensor_parallel)
    tokens = printed_tokens(start, constants)
    of_a_stage = pool.printed_bytes_per_token / start.pipeline_parallel
    return Measured(
        row=row,
        start=start,
        verdict=judge(start, constants),
        weights_error=_error(stage_weights_bytes(start) / GIB, row.weights_gib),
        kv_bytes_per_token_error=_error(of_a_stage, row.kv_bytes_per_token_observed),
        kv_tokens=tokens,
        kv_tokens_error=_error(tokens, row.kv_tokens),
        failed=True if row.outcome in FAILED else False if row.outcome == SUCCEEDED else None,
        need=_need(row),
        band=_band(start, constants),
    )


def _need(row: Observation) -> int | None:
    """Graphs that shrank while they were captured are none: torch gave blocks back meanwhile."""
    printed = row.weights_gib, row.non_torch_gib, row.activation_peak_gib, row.cuda_graph_gib
    known = [max(part, 0.0) for part in printed if part is not None]
    return int(sum(known) * GIB) if len(known) == len(printed) else None


def _band(start: Start, constants: EngineConstants) -> Uncertainty:
    found = budget(start, constants)
    peak = found.activation.peak_bytes
    parts = Parts(found.weights_bytes, 0, peak, found.non_torch_bytes, found.graph_bytes)
    return uncertainty(parts, start.settings.platform)


def printed_tokens(start: Start, constants: EngineConstants = CONSTANTS) -> int:
    """The tokens that the engine would say its KV cache holds; none when nothing is left.

    Blocks over tables of layers, up to 0.19; since, for models whose layers keep different things, concurrency times
    the longest request: both as the rows print them.
    """
    pool = KvPool.of(start.facts, start.settings, start.tensor_parallel)
    left = max(budget(start, constants).kv_cache_bytes, 0) * start.pipeline_parallel
    if len(pool.tables) > 1 and start.settings.engine_version.since(0, 20):
        return int(pool.concurrency(left, start.max_model_len) * start.max_model_len)
    return pool.tokens(left)


def formula_applies(found: Measured) -> bool:
    """Whether a quotient of KV bytes and tokens is a cost per token.

    It is none where tokens are concurrency times length over layers that keep different things: it is an average then.
    """
    pool = KvPool.of(found.start.facts, found.start.settings, found.start.tensor_parallel)
    return len(pool.tables) == 1 or not found.start.settings.engine_version.since(0, 20)


def _error(ours: float, printed: float | None) -> float | None:
    return None if not printed or printed <= 0 else ours / printed - 1
