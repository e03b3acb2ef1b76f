"""Which model and precision a row speaks of, by rules about names: there is no table of rows.

An id of the catalogue is taken as it is, whatever its case, and so is a name that is one without its owner. Else the
name without its owner, its remarks and the words of a quantization is compared with the catalogue's names without
theirs; where that leaves nothing, words that tell tunings apart (``Instruct``, dates) are left out on both sides. All
that match must have one shape. Where a name says no quantization, the one that is published without is meant, if there
is one. The product itself does no such thing: there an id is exact.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from controller.sizing.catalog import Catalog
from controller.sizing.facts import ModelFacts
from controller.sizing.precision import Precision, available_precisions, native_precision
from tests.benchmarks.sizing.observation import Observation

_QUANTIZED = re.compile(
    r"[-._ ](fp8|nvfp4|mxfp4|mxfp8|w\d+a\d+|awq|gptq|gguf|bnb|autoround|quantized|dynamic|block|int4|int8|4bit|8bit|"
    r"bf16|fp16|hf|q\d[_a-z0-9]*)(?=$|[-._ ])"
)
_TUNED = re.compile(r"[-._ ](instruct|it|chat|base|pt|\d{4})(?=$|[-._ ])")
_REMARK = re.compile(r"\([^)]*\)|\bclass\b|,.*$")

_EIGHT_BIT_INTEGERS = ("w8a8", "int8", "8bit", "8-bit", "q8_0")
_FOUR_BIT = (
    "int4",
    "4bit",
    "4-bit",
    "w4a16",
    "awq",
    "gptq",
    "fp4",
    "autoround",
    "wna16",
    "bitsandbytes",
    "q4",
)


class Unidentified(ValueError):
    """A row whose model or precision is not known; the text is the reason."""


class Names:
    """A catalogue's models by what their names have in common."""

    def __init__(self, catalog: Catalog) -> None:
        self._by_id = {model_id.casefold(): catalog.get(model_id) for model_id in catalog.known_ids()}
        self._groups = tuple(
            (name, _grouped(self._by_id.values(), name)) for name in (_without_owner, plain_name, bare_name)
        )

    @property
    def models(self) -> tuple[ModelFacts, ...]:
        """All of them."""
        return tuple(self._by_id.values())

    def facts(self, model: str) -> ModelFacts:
        """The facts of a row's model. Raises Unidentified."""
        folded = model.strip().casefold()
        if folded in self._by_id:
            return self._by_id[folded]
        for name, groups in self._groups:
            found = _meant(folded, groups.get(name(folded), ()))
            if found and len({_cache_and_parameters(facts) for facts in found}) == 1:
                return found[0]
        raise Unidentified("model not in the catalogue")


def _without_owner(model: str) -> str:
    return model.rsplit("/", 1)[-1].casefold()


def _meant(model: str, found: Sequence[ModelFacts]) -> Sequence[ModelFacts]:
    """Those of one name that are not quantized, unless the name is of a quantized one or there are none."""
    if _QUANTIZED.search(_REMARK.sub("", model)):
        return found
    return [facts for facts in found if facts.checkpoint.quantization is None] or found


def plain_name(model: str) -> str:
    """A name without owner, remarks and words of a quantization."""
    name = _REMARK.sub("", model).strip().rsplit("/", 1)[-1].casefold().removeprefix("meta-")
    while (shorter := _QUANTIZED.sub("", name)) != name:
        name = shorter
    return name.strip(" -._")


def bare_name(model: str) -> str:
    """A plain name without the words that tell tunings of one shape apart."""
    name = plain_name(model)
    while (shorter := _TUNED.sub("", name)) != name:
        name = shorter
    return name


def precision_of(row: Observation, facts: ModelFacts) -> Precision:
    """What the row's weights are in, by its columns, then by its model's name. Raises Unidentified."""
    said = row.quantization.casefold()
    asked = _unquantized(row) if said == "none" else _quantized(said, row, facts)
    if asked not in available_precisions(facts):
        raise Unidentified(f"{asked} of a model that exists in {native_precision(facts)} only")
    return asked


def _unquantized(row: Observation) -> Precision:
    if "32" in row.dtype:
        return Precision.FP32
    return Precision.FP16 if row.dtype == "float16" else Precision.BF16


def _quantized(said: str, row: Observation, facts: ModelFacts) -> Precision:
    native = native_precision(facts)
    for words in (said, row.model.casefold()):
        if native.value in words:
            return native
        if "fp8" in words:
            return Precision.FP8
        if any(word in words for word in _EIGHT_BIT_INTEGERS):
            return Precision.INT8
        if any(word in words for word in _FOUR_BIT):
            return Precision.INT4
    if facts.checkpoint.quantization:
        return native
    if not said:
        return _unquantized(row)
    raise Unidentified(f"quantization {row.quantization!r} of no known precision")


def _grouped(models: Iterable[ModelFacts], name: Callable[[str], str]) -> dict[str, list[ModelFacts]]:
    groups: dict[str, list[ModelFacts]] = defaultdict(list)
    for facts in models:
        groups[name(facts.model_id)].append(facts)
    return groups


def _cache_and_parameters(facts: ModelFacts) -> object:
    return facts.layers, facts.shape.hidden_size, facts.shape.vocab_size, facts.parameters.loaded
