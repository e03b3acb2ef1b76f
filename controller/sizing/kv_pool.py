"""The pool an engine keeps the KV cache in: blocks of one size, shared by tables of layers. Sizes are of one rank.

The rules are vLLM's (``vllm/v1/core/kv_cache_utils.py`` and ``kv_cache_interface.py``, 0.11 and newer):

- Layers that all keep the same, or all keep the whole context whatever their widths, share one table: a block holds
  ``block size`` tokens of every layer.
- Otherwise layers that keep the same are split into tables of equally many layers, as many as the rarest kind has (or
  the most frequent one, if that has less than half as many more); the last table of a kind is padded. Gemma 3 4b, 29
  windowed and 5 full layers, gets 6 + 1 tables of 5: one layer in 35 is empty.
- Every block has the same bytes, so narrower layers get more tokens a block. A recurrent state takes one block a table
  and sequence: attention gets so many tokens a block that the state fits (544 with Qwen3-Next).
- A sliding window holds one block more than its tokens, as it starts anywhere, and what is being read of a prompt:
  one batch, or two in newer engines (``engine.tokens_in_flight``).

Tokens and concurrency computed so are those printed at start to the last digit: see the tests.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from controller.sizing.engine import EngineSettings, tokens_in_flight
from controller.sizing.facts import CrossAttention, FullAttention, Keeps, LatentAttention, ModelFacts, WindowAttention
from controller.sizing.kv_cache import KvStorage, state_bytes, token_bytes

_NEARLY_EQUAL = 1.5
"""Kinds of layers whose numbers differ by less than this factor are padded to the larger number."""


@dataclass(frozen=True, slots=True)
class Table:
    """``count`` tables of layers that keep the same; a block of one holds ``block_tokens`` tokens."""

    count: int
    keeps: Keeps
    block_tokens: int


@dataclass(frozen=True, slots=True)
class KvPool:
    """Blocks of ``block_bytes`` for these tables. ``batched_tokens`` is how many tokens the engine reads at once."""

    block_bytes: int
    tables: tuple[Table, ...]
    batched_tokens: int

    @classmethod
    def of(cls, facts: ModelFacts, settings: EngineSettings, tensor_parallel: int) -> Self:
        """The pool of a model with resolved settings."""
        storage = KvStorage(settings.kv_element_bytes, tensor_parallel)
        layers: Counter[Keeps] = Counter()
        for group in facts.layers:
            # layers that use others' keys and values, or are an MLP only, have no place in the pool
            if token_bytes(group.keeps, storage) or state_bytes(group.keeps, storage):
                layers[group.keeps] += group.count
        batched = tokens_in_flight(settings)
        if not layers:
            return cls(1, (), batched)
        if _share_a_table(layers):
            tokens = settings.block_size
            return cls(_row_bytes(layers, storage, tokens), (Table(1, next(iter(layers)), tokens),), batched)
        page, tables = _equal_tables(layers, storage, settings.block_size)
        return cls(page * _layers_per_table(layers), tables, batched)

    @property
    def printed_bytes_per_token(self) -> int:
        """Bytes an engine divides by to print a pool's tokens: as if every table kept all; 0 where nothing is kept."""
        if not self.tables:
            return 0
        return self.block_bytes * self._count // self._finest

    def tokens(self, pool_bytes: int) -> int:
        """The tokens an engine says it can hold in a pool of so many bytes."""
        return pool_bytes // self.block_bytes // self._count * self._finest

    def concurrency(self, pool_bytes: int, length: int) -> float:
        """How many sequences of ``length`` an engine says it can hold in a pool of so many bytes."""
        return pool_bytes // self.block_bytes / self.request_blocks(length)

    def request_blocks(self, length: int) -> int:
        """Blocks one sequence of ``length`` tokens needs at most; with fewer an engine refuses to start."""
        return sum(table.count * self._most_blocks(table, length) for table in self.tables)

    def request_bytes(self, length: int) -> int:
        """Bytes of ``request_blocks``."""
        return self.request_blocks(length) * self.block_bytes

    def bytes_for(self, length: int, concurrency: int) -> int:
        """Bytes in which ``concurrency`` sequences of ``length`` tokens run at once.

        All of them together read ``batched_tokens`` at once, not each of them: with windows that is less than
        ``concurrency`` times ``request_bytes``.
        """
        blocks = sum(table.count * self._blocks(table, length, concurrency) for table in self.tables)
        return blocks * self.block_bytes

    @property
    def _count(self) -> int:
        return sum(table.count for table in self.tables)

    @property
    def _finest(self) -> int:
        return min(table.block_tokens for table in self.tables)

    def _blocks(self, table: Table, length: int, concurrency: int) -> int:
        most = concurrency * self._most_blocks(table, length)
        if not isinstance(table.keeps, WindowAttention):
            return most
        at_rest = _blocks(table, min(table.keeps.window, length)) + (0 if table.keeps.chunked else 1)
        return min(most, concurrency * at_rest + _blocks(table, self.batched_tokens))

    def _most_blocks(self, table: Table, length: int) -> int:
        keeps = table.keeps
        if isinstance(keeps, CrossAttention):
            return _blocks(table, keeps.tokens)
        if isinstance(keeps, FullAttention | LatentAttention):
            return _blocks(table, length)
        if isinstance(keeps, WindowAttention):
            before = keeps.window if keeps.chunked else keeps.window - 1
            return _blocks(table, min(before + self.batched_tokens, length)) + (0 if keeps.chunked else 1)
        return 1


def _blocks(table: Table, tokens: int) -> int:
    return -(-tokens // table.block_tokens)


def _share_a_table(layers: Mapping[Keeps, int]) -> bool:
    if len(layers) == 1:
        return True
    return all(isinstance(keeps, FullAttention | LatentAttention) for keeps in layers)


def _row_bytes(layers: Mapping[Keeps, int], storage: KvStorage, tokens: int) -> int:
    """A block of all layers; a recurrent model's block is its state."""
    return sum(
        count * (tokens * token_bytes(keeps, storage) + state_bytes(keeps, storage)) for keeps, count in layers.items()
    )


def _layers_per_table(layers: Mapping[Keeps, int]) -> int:
    fewest, most = min(layers.values()), max(layers.values())
    return most if most < fewest * _NEARLY_EQUAL else fewest


def _equal_tables(layers: Mapping[Keeps, int], storage: KvStorage, block_size: int) -> tuple[int, tuple[Table, ...]]:
    """One layer's bytes in a block, the same for all, and the tables."""
    widest = max(token_bytes(keeps, storage) for keeps in layers)
    state = max(state_bytes(keeps, storage) for keeps in layers)
    tokens = max(block_size, -(-state // (widest * block_size)) * block_size) if widest else block_size
    page = tokens * widest or state
    size = _layers_per_table(layers)
    return page, tuple(
        Table(-(-count // size), keeps, page // token_bytes(keeps, storage) if token_bytes(keeps, storage) else tokens)
        for keeps, count in layers.items()
    )
