"""What must be left of a device beside the engine's share, on one rank, for a start that is safe.

The pool is not the last allocation, and what a rank holds before the engine looks is in no term of its budget
(``uncounted.py``). A verdict (``verdict.py``) asks whether a start leaves so much; a sizing counts it with the need,
and our profiles ask for no larger share than leaves it.
"""

from dataclasses import dataclass

from controller.sizing.activation import Activation
from controller.sizing.budget import Start
from controller.sizing.engine_constants import CONSTANTS, EngineConstants
from controller.sizing.engine_version import Generation
from controller.sizing.uncounted import at_start_bytes, emptied_bytes, kept_graph_bytes

_FLOAT_BYTES = 4
"""Of a logit as the sampler has it."""


@dataclass(frozen=True, slots=True)
class Beside:
    """``at_start_bytes`` must be free when the engine looks; ``after_pool_bytes`` are taken once the KV cache is there.

    The latter are less what the profile run has freed again, and negative where that is more. ``graph_bytes`` are the
    graphs among them. ``measured``: no part is known by its cause alone and counted as nothing here.
    """

    at_start_bytes: int
    after_pool_bytes: int
    graph_bytes: int
    measured: bool = True

    @property
    def needed_bytes(self) -> int:
        """What must be left."""
        return max(self.at_start_bytes, self.after_pool_bytes, 0)

    @property
    def uncounted_bytes(self) -> int:
        """What must be left over the graphs, which a sizing counts wherever they are."""
        return max(self.needed_bytes - self.graph_bytes, 0)


def beside(start: Start, profiled: Activation, constants: EngineConstants = CONSTANTS) -> Beside:
    """What a start must leave, whatever its device; ``profiled`` is the peak of its profile run."""
    at_start = at_start_bytes(start, constants)
    graphs = kept_graph_bytes(start, constants)
    # up to 0.17 half of the graphs has room for it on ROCm: such starts are what that share was read off
    apart = start.settings.platform == "cuda" or start.settings.engine_version.since(0, 18)
    growth = constants.parallel_growth if start.tensor_parallel > 1 else 0
    logits = _logits(start)
    emptied = emptied_bytes(start, logits * _FLOAT_BYTES, constants)
    again = _sampler_bytes(start, logits, constants)
    # the masking kernel keeps its buffer (_TRITON_BUFFER_CACHE): that much of the profile's sampler is not free again
    freed = max(profiled.layer_bytes, again if _masks(start) else profiled.sampler_bytes)
    taken = (at_start if apart else 0) + graphs + growth + (emptied or 0) + again
    return Beside(at_start, taken - freed, graphs, measured=emptied is not None)


def _logits(start: Start) -> int:
    """Logits of a warm-up: one for each sequence and word of the vocabulary."""
    settings = start.settings
    return min(settings.max_num_seqs or 0, settings.max_num_batched_tokens or 0) * start.facts.shape.vocab_size


def _masks(start: Start) -> bool:
    """Whether the profile's sampler masks logits instead of sorting them."""
    return start.settings.engine_version.since(0, 17)


def _sampler_bytes(start: Start, logits: int, constants: EngineConstants) -> int:
    """What the sampler's second run takes: V1 warms it up behind the pool."""
    if start.settings.engine_version.generation is not Generation.V1:
        return 0
    return int(logits * (constants.masking_sampler_bytes if _masks(start) else constants.sorting_sampler_bytes))
