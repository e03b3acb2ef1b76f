"""What an engine would say of its memory. Pure.

A simulated engine takes no memory of a GPU. What it reports as fixed is what it was told (sizing's own figures, so
nothing is learnt from those); what it reports of the KV cache follows from the tokens that requests made it hold.
"""

from dataclasses import dataclass
from typing import Final

BLOCK_TOKENS: Final = 16
"""Tokens of a block of the KV cache: vLLM's default."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: `fixed` for weights, activations, graphs and runtime; `pool` for the KV cache; `token` of it a token.

    `utilization`: the part of the partition that the engine plans with. `pinned`: the pool was given, and is not what
    was left of that.
    """

    fixed: int = 0
    pool: int = 0
    token: int = 0
    utilization: float = 0.9
    pinned: bool = False

    @property
    def blocks(self) -> int:
        """Blocks of the KV cache's pool; 0 when the pool is not known."""
        return self.pool // (self.token * BLOCK_TOKENS) if self.token else 0

    def used(self, tokens: int) -> int:
        """Bytes in use while so many tokens are held."""
        return self.fixed + self.token * tokens

    def filled(self, tokens: int) -> float:
        """The part of the KV cache that so many tokens take, 0 to 1; 0 when the pool is not known."""
        return min(1.0, self.token * tokens / self.pool) if self.pool else 0.0


UNKNOWN: Final = Memory()
"""An engine that was told nothing of its memory."""
