"""Whether a start of the engine on a device will succeed, before it is tried.

An engine can fail in four places, and each has its check, in this order:

1. *Refused for its settings*: nothing is even loaded (``refusal.py``); such a verdict has a remedy.
2. *Nothing left*: weights, activations and non-torch take all of the budget.
3. *Refused*: the pool holds no request of ``max_model_len`` tokens (``vllm/v1/core/kv_cache_utils.py``), or has fewer
   blocks than ``max_num_seqs`` where each sequence keeps a recurrent state in one.
4. *After the pool*: the pool is not the last allocation. Graphs are captured (beside the budget, by version), ranks of
   tensor parallelism register more buffers, and V1 runs the sampler once more with ``max_num_seqs`` requests. For that
   there is the room beside the budget, less what no term of the budget counts (``uncounted.py``), and what the profile
   run has freed again.

A start that passes is *safe* unless it is near a limit: by less than starts of one setup differ (``margin.py``), or
where there is too little for what comes after the pool. Then it is *at risk*: some such starts succeeded. A start of an
engine whose version and generation are both unknown is at risk too: its rules are not known.
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
from controller.sizing.uncounted import at_start_bytes, emptied_bytes, kept_graph_bytes

_FLOAT_BYTES = 4
"""Of a logit as the sampler has it."""

_PARALLEL_GROWTH = 3 * GIB // 10
"""What ranks of tensor parallelism take after the pool; on ROCm with the buffers of their communicators, held earlier.

R9700, two ranks, utilization 0.98: two of nine starts died in the sampler's warm-up, and no flag tells which (logs of
kyuz0/amd-r9700-vllm-toolboxes, three of them among the observations as EM015, EM018 and EM020). What the profile's
sampler took is what the second run needs, so the same is left whatever the model: 0.64 GiB beside the budget, less the
0.45 that were outside torch over what the profile counted, less 0.1 in graphs' pools. Of these 0.1 GiB torch could not
use any: 0.12 to 0.17 of what it held were in parts too small."""


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
    def sampler_bytes(self) -> int:
        """What the sampler's second run takes: V1 warms it up behind the pool."""
        if self.start.settings.engine_version.generation is not Generation.V1:
            return 0
        form = self.constants.masking_sampler_bytes if self.masks else self.constants.sorting_sampler_bytes
        return int(self.logits * form)

    @property
    def freed_bytes(self) -> int:
        """What is free again behind the profile's run: not the masking kernel's buffer (``_TRITON_BUFFER_CACHE``)."""
        activation = self.budget.activation
        return max(activation.layer_bytes, self.sampler_bytes if self.masks else activation.sampler_bytes)


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


def _less_free_than_asked(case: _Case) -> Verdict | None:
    """``request_memory`` in ``vllm/v1/worker/utils.py``: "Free memory on device ... is less than desired"."""
    spare = case.budget.beside_bytes - at_start_bytes(case.start)
    if spare >= 0:
        return None
    text = "the engine asks for more than is free when it looks, context and communicators being there already"
    return Verdict(Outcome.AT_RISK, "LessFreeThanAsked", text, spare)


def _after_pool(case: _Case) -> Verdict | None:
    """The sampler's second run and what the budget does not count, beside it and in what the profile freed."""
    start = case.start
    # up to 0.17 half of the graphs has room for it on ROCm: such starts are what that share was read off
    apart = start.settings.platform == "cuda" or start.settings.engine_version.since(0, 18)
    held = at_start_bytes(start) if apart else 0
    growth = _PARALLEL_GROWTH if start.tensor_parallel > 1 else 0
    emptied = emptied_bytes(start, case.logits * _FLOAT_BYTES)
    taken = held + kept_graph_bytes(start, case.budget) + growth + emptied + case.sampler_bytes
    spare = case.budget.beside_bytes + case.freed_bytes - taken
    if spare >= 0:
        return None
    text = "graphs and the sampler's warm-up have too little room beside the engine's share"
    return Verdict(Outcome.AT_RISK, "LittleRoomAfterPool", text, spare)


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
    _less_free_than_asked,
    _after_pool,
    _within_spread,
)
