"""What an engine took of its partition, by its own metrics: what a ModelProfile's sizes can be held against. Pure.

An engine of vLLM's family says how much of the partition it plans with, and how many blocks of KV cache were left when
weights, activations and runtime had taken what they take. So those took the difference, which is measured when the
engine starts, on the GPU that it runs on. What requests then really fill of the KV cache comes on top:

    partition x utilization - blocks x tokens a block x bytes a token  +  what is filled of the blocks

Nothing is told by an engine whose KV cache was pinned to a size: what it left over says nothing of the rest.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from controller.runtime.metrics_text import samples

CONFIG: Final = "vllm:cache_config_info"
FILLED: Final = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")
"""The filled part of the KV cache, 0 to 1, as newer and older versions name it."""

_READ: Final = frozenset((CONFIG, *FILLED))


@dataclass(frozen=True, slots=True)
class EngineMemory:
    """What one engine says. `utilization` is the part of its partition that it plans with, `blocks` of `block_tokens`
    tokens are its KV cache, of which `filled` (0 to 1) is in use.
    """

    utilization: float
    blocks: int
    block_tokens: int
    filled: float

    def taken(self, partition_bytes: int, token_bytes: int) -> int | None:
        """Bytes of the partition that it took with what is in use now; None where the figures contradict one another.

        `token_bytes`: KV cache a token. Where layers keep different amounts a token, an engine's blocks are no multiple
        of it, and the figures may contradict.
        """
        pool = self.blocks * self.block_tokens * token_bytes
        beside = int(self.utilization * partition_bytes) - pool
        return beside + int(self.filled * pool) if 0 < beside < partition_bytes else None


def engine_memory(text: str) -> EngineMemory | None:
    """What a page of metrics says; None where it says too little, or the KV cache was pinned."""
    config: Mapping[str, str] | None = None
    filled = 0.0
    for name, labels, value in samples(text, _READ):
        if name == CONFIG:
            config = labels
        elif not math.isnan(value):
            filled = max(filled, value)
    if config is None or config.get("kv_cache_memory_bytes", "None") != "None":
        return None
    try:
        found = EngineMemory(
            utilization=float(config["gpu_memory_utilization"]),
            blocks=int(config["num_gpu_blocks"]),
            block_tokens=int(config["block_size"]),
            filled=min(1.0, filled),
        )
    except (KeyError, ValueError):  # "None" while it starts
        return None
    return found if 0 < found.utilization <= 1 and found.blocks > 0 and found.block_tokens > 0 else None
