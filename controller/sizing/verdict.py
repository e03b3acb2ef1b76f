"""Whether a start of the engine on a device will succeed, before it is tried.

An engine can fail in four places, and each has its check, in this order:

1. *Refused for its settings*: nothing is even loaded (``refusal.py``); such a verdict has a remedy.
2. *Nothing left*: weights, activations and non-torch take all of the budget.
3. *Refused*: the pool holds no request of ``max_model_len`` tokens (``vllm/v1/core/kv_cache_utils.py``), or has fewer
   blocks than ``max_num_seqs`` where each sequence keeps a recurrent state in one.
4. *After the pool*: the pool is not the last allocation. Graphs are captured (beside the budget, by version), ranks of
   tensor parallelism register more buffers, and V1 runs the sampler once more with ``max_num_seqs`` requests. For that
   there is the room beside the budget, less what no term of the budget counts, and what the profile run has freed again
   (``beside.py``).

A start that passes is *safe* unless it is near a limit: by less than starts of one setup differ (``margin.py``), or
where there is too little for what comes after the pool. Then it is *at risk*: some such starts succeeded. A start of an
engine whose version and generation are both unknown is at risk too: its rules are not known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from controller.sizing.beside import Beside, beside
from controller.sizing.budget import Budget, Start, budget
from controller.sizing.engine_constants import CONSTANTS, EngineConstants
from controller.sizing.kv_cache import state_bytes
from controller.sizing.kv_pool import KvPool
from controller.sizing.margin import start_spread_bytes
from controller.sizing.refusal import refusal


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
    beside: Beside

    @property
    def beside_request_bytes(self) -> int:
        """What the KV cache has beside one request of full length."""
        pool = KvPool.of(self.start.facts, self.start.settings, self.start.tensor_parallel)
        request = pool.request_bytes(self.start.max_model_len) // self.start.pipeline_parallel
        return self.budget.kv_cache_bytes - request


def judge(start: Start, constants: EngineConstants = CONSTANTS) -> Verdict:
    """What to expect of a start."""
    if refused := refusal(start):
        return Verdict(Outcome.FAILS, refused.reason, refused.text, 0, refused.remedy)
    divided = budget(start, constants)
    case = _Case(start, divided, beside(start, divided.activation, constants))
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
    spare = case.budget.beside_bytes - case.beside.at_start_bytes
    if spare >= 0:
        return None
    text = "the engine asks for more than is free when it looks, context and communicators being there already"
    return Verdict(Outcome.AT_RISK, "LessFreeThanAsked", text, spare)


def _after_pool(case: _Case) -> Verdict | None:
    """The sampler's second run and what the budget does not count, beside it and in what the profile freed."""
    spare = case.budget.beside_bytes - case.beside.after_pool_bytes
    if spare >= 0:
        return None
    text = "graphs and the sampler's warm-up have too little room beside the engine's share"
    return Verdict(Outcome.AT_RISK, "LittleRoomAfterPool", text, spare)


def _unmeasured(case: _Case) -> Verdict | None:
    if case.beside.measured:
        return None
    text = "experts are laid out anew as they are loaded, and nobody has measured what that leaves unused"
    return Verdict(Outcome.AT_RISK, "NobodyMeasured", text, case.beside_request_bytes)


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
    _unmeasured,
    _within_spread,
)
