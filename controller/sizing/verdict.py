"""Whether a start of the engine on a device will succeed, before it is tried.

An engine can fail in four places, and each has its check, in this order:

1. *Refused for its settings*: nothing is even loaded (``refusal.py``); such a verdict has a remedy.
2. *Nothing left*: weights, activations and non-torch take all of the budget.
3. *Refused*: the pool holds no request of ``max_model_len`` tokens (``vllm/v1/core/kv_cache_utils.py``), or has fewer
   blocks than ``max_num_seqs`` where each sequence keeps a recurrent state in one.
4. *After the pool*: the pool is not the last allocation. Graphs are captured (beside the budget, by version), ranks of
   tensor parallelism register more buffers, and V1 runs the sampler once more with ``max_num_seqs`` requests. For that
   there is the room beside the budget, and what the profile run's peak has left free again.

A start that passes is *safe* unless it is near a limit: by less than starts of one setup differ (``margin.py``), or
in the two ways in which starts were seen to die after the pool (below). Then it is *at risk*: some such starts
succeeded. A start of an engine whose version and generation are both unknown is at risk too: its rules are not known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from controller.sizing.budget import Budget, Start, budget
from controller.sizing.engine_constants import CONSTANTS, GIB, EngineConstants
from controller.sizing.engine_version import Generation
from controller.sizing.kv_cache import state_bytes
from controller.sizing.kv_pool import KvPool
from controller.sizing.margin import start_spread_bytes
from controller.sizing.refusal import refusal

_KEPT_GRAPHS_PERCENT = 50
"""Of the memory that graphs are said to take, what is lost to later allocations. The rest is torch's cache, which the
sampler gets: messages of two starts that ran out of memory in it name 68 and 106 MiB in graphs' pools where 0.66 and
0.92 GiB had been printed, and starts with 0.64 GiB beside the budget succeed after 1.4 GiB of graphs (R9700)."""

_PARALLEL_GROWTH = 3 * GIB // 10
"""What ranks of tensor parallelism take after the pool: outside torch were 0.86 and 0.93 GiB at the end of two such
starts, 0.5 in their profiles, graphs being a part. Both died in the sampler's warm-up (R9700, TP 2, utilization 0.98;
others of that kind lived: the logs of kyuz0/amd-r9700-vllm-toolboxes)."""

_SORT_SHARE = 0.85
"""Of the sorting sampler's buffers: what remains of them while it sorts, before its softmax."""


class Outcome(StrEnum):
    """What to expect of a start."""

    SAFE = "safe"
    AT_RISK = "at risk"
    FAILS = "fails"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reason`` is a CamelCase word, "" when safe. ``spare_bytes`` is what the check it is from has left: negative by
    as much as is missing, 0 where no bytes are; of a safe start, what is left beside the longest request.
    ``remedy`` says what to write instead where settings are refused, else "".
    """

    outcome: Outcome
    reason: str
    text: str
    spare_bytes: int
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class _Case:
    start: Start
    budget: Budget
    constants: EngineConstants

    @property
    def beside_request_bytes(self) -> int:
        """What the KV cache has beside one request of full length."""
        pool = KvPool.of(self.start.facts, self.start.settings, self.start.tensor_parallel)
        request = pool.request_bytes(self.start.max_model_len) // self.start.pipeline_parallel
        return self.budget.kv_cache_bytes - request

    @property
    def logits(self) -> int:
        """Logits of a warm-up: one for each sequence and word of the vocabulary."""
        settings = self.start.settings
        sequences = min(settings.max_num_seqs or 0, settings.max_num_batched_tokens or 0)
        return sequences * self.start.facts.shape.vocab_size

    @property
    def masks(self) -> bool:
        """Whether the profile's sampler masks logits instead of sorting them."""
        return self.start.settings.engine_version.since(0, 17)

    @property
    def room_bytes(self) -> int:
        """What there is for everything after the pool."""
        return self.budget.beside_bytes + self.budget.activation.peak_bytes


def judge(start: Start, constants: EngineConstants = CONSTANTS) -> Verdict:
    """What to expect of a start."""
    if refused := refusal(start):
        return Verdict(Outcome.FAILS, refused.reason, refused.text, 0, refused.remedy)
    case = _Case(start, budget(start, constants), constants)
    for check in _CHECKS:
        if verdict := check(case):
            return verdict
    return Verdict(Outcome.SAFE, "", "the engine starts", case.beside_request_bytes)


def _nothing_left(case: _Case) -> Verdict | None:
    left = case.budget.kv_cache_bytes
    if left > 0:
        return None
    text = "weights, activations and runtime take all of the engine's share"
    return Verdict(Outcome.FAILS, "NothingLeft", text, left)


def _refused(case: _Case) -> Verdict | None:
    spare = case.beside_request_bytes
    if spare >= 0:
        return None
    text = f"the KV cache holds no request of {case.start.max_model_len} tokens"
    return Verdict(Outcome.FAILS, "LongestRequestDoesNotFit", text, spare)


def _too_many_states(case: _Case) -> Verdict | None:
    """The second check: "max_num_seqs (1024) exceeds available Mamba cache blocks (856)" (vllm-project/recipes 551)."""
    settings = case.start.settings
    pool = KvPool.of(case.start.facts, settings, case.start.tensor_parallel)
    sequences = settings.max_num_seqs or 0
    if not settings.engine_version.since(0, 17) or not any(state_bytes(table.keeps) for table in pool.tables):
        return None
    spare = case.budget.kv_cache_bytes - sequences * pool.block_bytes
    if spare >= 0:
        return None
    text = f"the KV cache has fewer blocks than max_num_seqs ({sequences}), and each sequence keeps its state in one"
    return Verdict(Outcome.FAILS, "MoreSequencesThanStates", text, spare)


def _unknown_engine(case: _Case) -> Verdict | None:
    if case.start.engine_known:
        return None
    return Verdict(Outcome.AT_RISK, "EngineUnknown", "neither the engine's version nor its generation is known", 0)


def _after_pool(case: _Case) -> Verdict | None:
    """The sampler's second run, and what grows before it."""
    graphs = 0 if case.budget.graphs_within else case.budget.graph_bytes * _KEPT_GRAPHS_PERCENT // 100
    spare = case.room_bytes - graphs - (_PARALLEL_GROWTH if case.start.tensor_parallel > 1 else 0)
    if case.start.settings.engine_version.generation is Generation.V1:
        form = case.constants.masking_sampler_bytes if case.masks else case.constants.sorting_sampler_bytes
        spare -= case.budget.activation.held_bytes + int(case.logits * form)
    if spare >= 0:
        return None
    text = "graphs and the sampler's warm-up have too little room beside the engine's share"
    return Verdict(Outcome.AT_RISK, "LittleRoomAfterPool", text, spare)


def _sorting_again(case: _Case) -> Verdict | None:
    """Mixtures whose profile does not contain all that the warm-up does.

    Kernels of experts are tuned after the pool is reserved, with full batches. gpt-oss-20b died in the warm-up (0.19,
    utilization 0.95, TP 1 and 2) with 5 GiB free where the profile's sampler had taken 2.9, and started at 0.90: it
    needs as much as if logits were sorted. Llama 4 Scout started with as little room, six dense models with less.
    """
    if not case.masks or case.start.facts.shape.experts is None:
        return None
    graphs = 0 if case.budget.graphs_within else case.budget.graph_bytes
    spare = case.room_bytes - graphs - int(case.logits * case.constants.sorting_sampler_bytes * _SORT_SHARE)
    if spare >= 0:
        return None
    text = "a mixture's warm-up with so many sequences and so large a vocabulary was seen to need more"
    return Verdict(Outcome.AT_RISK, "LittleRoomForWarmUp", text, spare)


def _within_spread(case: _Case) -> Verdict | None:
    spare = case.beside_request_bytes - start_spread_bytes(case.start.settings.platform)
    if spare >= 0:
        return None
    text = "the KV cache holds the longest request by less than starts differ from each other"
    return Verdict(Outcome.AT_RISK, "WithinStartSpread", text, spare)


_CHECKS: tuple[Callable[[_Case], Verdict | None], ...] = (
    _nothing_left,
    _refused,
    _too_many_states,
    _unknown_engine,
    _after_pool,
    _sorting_again,
    _within_spread,
)
