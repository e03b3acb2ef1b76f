"""What is kept free for what the formulas miss, and how far a sizing may be off."""

from dataclasses import dataclass

from controller.sizing.engine_constants import GIB

MARGIN_PERCENT = 3
"""Kept free over everything else, for what the formulas miss: weights are within 1 to 3 % of the printed ones, the KV
cache within 1 %."""

START_SPREAD_ROCM_BYTES = 26 * GIB // 10
"""How much less the KV cache may get in one start than in another of the same build and flags: Llama-3.1-8B on an
R9700 got 12.73 GiB with a cold compile cache and 15.33 with a warm one, and gpt-oss-20b 13.34 to 15.77. Compiling is
not all of it: two cold starts differ by 2 GiB as well. It takes away from the cache, and refuses a start only where
the cache would hold little more than one request."""

START_SPREAD_CUDA_BYTES = 3 * GIB // 10
"""The same on CUDA, where repeated starts agree to 0.01 GiB: what is left is the error of the formulas, 0.3 GiB in
nine of ten starts whose version is known."""


def start_spread_bytes(platform: str) -> int:
    """How much less than computed a start's KV cache may get, on one rank."""
    return START_SPREAD_ROCM_BYTES if platform == "rocm" else START_SPREAD_CUDA_BYTES


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """The need lies between these, in bytes; the sizing's total is at or below ``high_bytes``."""

    low_bytes: int
    high_bytes: int


@dataclass(frozen=True, slots=True)
class Parts:
    """What a rank needs before any margin, in bytes.

    ``loading_bytes``: what loading takes beyond everything that is there afterwards, 0 unless weights are quantized.
    ``uncounted_bytes``: what a start takes that none of these is (``beside.Beside``); no part, the margin holds it.
    """

    weights_bytes: int
    kv_cache_bytes: int
    activation_bytes: int
    non_torch_bytes: int
    graph_bytes: int
    loading_bytes: int = 0
    uncounted_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """The sum."""
        serving = self.kv_cache_bytes + self.activation_bytes + self.graph_bytes
        return self.weights_bytes + serving + self.non_torch_bytes + self.loading_bytes


def margin_bytes(parts: Parts) -> int:
    """What to keep free over ``parts``: the share, and no less than what a start takes that the formulas leave out."""
    return max(parts.total_bytes * MARGIN_PERCENT // 100, parts.uncounted_bytes)


def uncertainty(parts: Parts, platform: str = "rocm") -> Uncertainty:
    """Between which bytes the need of such a start was seen to lie: the formulas' error, and above it the spread.

    Below it graphs may be nothing: they are printed as what is free before the capture less what is free after it, and
    torch gives blocks back meanwhile (0.1 GiB of Qwen3-0.6B, -0.8 of Mistral-Small-3.2, where 0.85 and 1.03 are
    counted). Nine of ten starts that print all parts lie between (``make bench NAME=sizing``).
    """
    margin = margin_bytes(parts)
    low = parts.total_bytes - margin - parts.graph_bytes
    return Uncertainty(low, parts.total_bytes + max(margin, start_spread_bytes(platform)))
