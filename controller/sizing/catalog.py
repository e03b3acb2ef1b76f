"""The architecture facts of the models that can be sized, by exact id.

The bundled table is ``data/models.csv``; its README names the origin of every column. An id is never matched by its
suffix or by similarity: a fine-tune is not its base model.
"""

import csv
import difflib
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Self

from controller.sizing.errors import UnknownModel


class CatalogError(ValueError):
    """A table that cannot be read. The text names the model and the column."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model's shape. Counts are of elements, layers, heads or tokens; None is not applicable or not established.

    ``total_params`` counts every stored element, all experts included; ``mtp_params`` of them belong to
    multi-token-prediction layers, which plain decoding does not load. ``global_kv_heads`` and ``global_head_dim``
    are set where the full-attention layers have another shape than the local ones; ``recurrent_state_bytes`` is what
    the linear-attention layers keep for one sequence, whatever its length.
    """

    model_id: str
    architecture: str
    total_params: int
    active_params: int
    num_hidden_layers: int
    hidden_size: int
    intermediate_size: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    tie_word_embeddings: bool
    max_position_embeddings: int | None
    local_attention: str
    sliding_window: int | None
    full_attention_layers: int | None
    moe_num_experts: int
    moe_experts_per_token: int
    moe_intermediate_size: int
    first_dense_layers: int
    shared_experts: int
    kv_lora_rank: int | None
    qk_rope_head_dim: int | None
    native_dtype: str
    native_quantization: str
    vision_params: int
    mtp_params: int
    checkpoint_bytes: int
    source: str
    confidence: str
    global_kv_heads: int | None = None
    global_head_dim: int | None = None
    recurrent_state_bytes: int = 0


_GATED_DELTA_NET_STATE = 36 * (32 * 128 * 128 * 4 + (2 * 16 * 128 + 32 * 128) * 3 * 2)
"""Qwen3-Next's 36 linear layers, bytes for one sequence: a float32 state of 128 x 128 for each of 32 value heads, and
the last three inputs (kernel of 4) of a convolution over 16 query, 16 key and 32 value heads of 128, in 16 bit."""

# What the table tells in its notes because no column holds it.
_GLOBAL_HEADS: Mapping[str, tuple[int, int]] = {"google/gemma-4-31B-it": (4, 512)}
_RECURRENT_STATES: Mapping[str, int] = {"Qwen/Qwen3-Coder-Next": _GATED_DELTA_NET_STATE}


class Catalog:
    """Model facts by exact id."""

    def __init__(self, models: Iterable[ModelFacts]) -> None:
        self._models = {facts.model_id: facts for facts in models}

    def get(self, model_id: str) -> ModelFacts:
        """The facts of that exact id. Raises UnknownModel with the nearest ids."""
        try:
            return self._models[model_id]
        except KeyError:
            raise UnknownModel(model_id, self._nearest(model_id)) from None

    def ids(self) -> tuple[str, ...]:
        """Every model's id, sorted."""
        return tuple(sorted(self._models))

    def _nearest(self, model_id: str) -> tuple[str, ...]:
        by_folded = {known.casefold(): known for known in self._models}
        # an id of a thousand characters is no typing mistake, and comparing it would only cost time
        matches = difflib.get_close_matches(model_id[:200].casefold(), by_folded, n=3, cutoff=0.6)
        return tuple(by_folded[match] for match in matches)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the table as CSV text with its header line. Raises CatalogError naming model and column."""
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
        models = [_with_notes(_facts(row)) for row in rows]
        counts = Counter(facts.model_id for facts in models)
        repeated = [model_id for model_id, count in counts.items() if count > 1]
        if repeated:
            raise CatalogError(f"model {', '.join(repeated)} stands in more than one row: keep one")
        return cls(models)

    @classmethod
    def bundled(cls) -> Self:
        """The catalogue shipped with this package, read once."""
        return cls(_bundled_models())


@cache
def _bundled_models() -> tuple[ModelFacts, ...]:
    text = files("controller.sizing").joinpath("data/models.csv").read_text(encoding="utf-8")
    catalog = Catalog.parse(text)
    return tuple(catalog.get(model_id) for model_id in catalog.ids())


def _with_notes(facts: ModelFacts) -> ModelFacts:
    heads, width = _GLOBAL_HEADS.get(facts.model_id, (None, None))
    state = _RECURRENT_STATES.get(facts.model_id, 0)
    return replace(facts, global_kv_heads=heads, global_head_dim=width, recurrent_state_bytes=state)


class _Row:
    """Typed access to one row's fields; an empty field is None."""

    def __init__(self, row: Mapping[str, str]) -> None:
        self._row = row

    def text(self, column: str) -> str:
        value = self._row.get(column)
        if value is None:
            raise self._error(column, "is missing")
        return value

    def optional(self, column: str) -> int | None:
        value = self.text(column)
        if not value:
            return None
        if not value.isdecimal():
            raise self._error(column, f"is {value!r}, not a whole number")
        return int(value)

    def number(self, column: str) -> int:
        value = self.optional(column)
        if value is None:
            raise self._error(column, "is empty")
        return value

    def flag(self, column: str) -> bool:
        value = self.text(column)
        if value not in ("true", "false"):
            raise self._error(column, f"is {value!r}, not true or false")
        return value == "true"

    def _error(self, column: str, problem: str) -> CatalogError:
        return CatalogError(f"model {self._row.get('model_id')!r}: column {column} {problem}")


def _facts(row: Mapping[str, str]) -> ModelFacts:
    fields = _Row(row)
    return ModelFacts(
        model_id=fields.text("model_id"),
        architecture=fields.text("architecture"),
        total_params=fields.number("total_params"),
        active_params=fields.number("active_params"),
        num_hidden_layers=fields.number("num_hidden_layers"),
        hidden_size=fields.number("hidden_size"),
        intermediate_size=fields.number("intermediate_size"),
        num_attention_heads=fields.number("num_attention_heads"),
        num_key_value_heads=fields.number("num_key_value_heads"),
        head_dim=fields.number("head_dim"),
        vocab_size=fields.number("vocab_size"),
        tie_word_embeddings=fields.flag("tie_word_embeddings"),
        max_position_embeddings=fields.optional("max_position_embeddings"),
        local_attention=fields.text("local_attention"),
        sliding_window=fields.optional("sliding_window"),
        full_attention_layers=fields.optional("full_attention_layers"),
        moe_num_experts=fields.optional("moe_num_experts") or 0,
        moe_experts_per_token=fields.optional("moe_experts_per_token") or 0,
        moe_intermediate_size=fields.optional("moe_intermediate_size") or 0,
        first_dense_layers=fields.optional("first_dense_layers") or 0,
        shared_experts=fields.optional("shared_experts") or 0,
        kv_lora_rank=fields.optional("kv_lora_rank"),
        qk_rope_head_dim=fields.optional("qk_rope_head_dim"),
        native_dtype=fields.text("native_dtype"),
        native_quantization=fields.text("native_quantization"),
        vision_params=fields.optional("has_vision_encoder_params") or 0,
        mtp_params=fields.optional("mtp_params_in_total") or 0,
        checkpoint_bytes=fields.number("weights_bytes_computed"),
        source=fields.text("source"),
        confidence=fields.text("confidence"),
    )
