"""Whatever stands in a model's files: facts that can be sized, or an error that names the field."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.sizing.errors import SizingError
from controller.sizing.estimate import SizingRequest, estimate_model_size
from controller.sizing.hugging_face_config import facts_of_config
from controller.sizing.model_file_errors import ModelFileError
from controller.sizing.safetensors import parse_header, shards_of
from tests.builders.checkpoint import header_of, small_model
from tests.builders.model_config import CONFIGS

NAMES = sorted(file.stem for file in CONFIGS.glob("*.json"))
READ = {name: json.loads((CONFIGS / f"{name}.json").read_bytes()) for name in NAMES}

_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 5),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.sampled_from(["full_attention", "sliding_attention", "linear_attention", 1, 0]), max_size=5),
    st.dictionaries(st.sampled_from(["hidden_size", "quant_method", "weights", "x"]), st.integers(-1, 9), max_size=2),
)


_T = TypeVar("_T")


def _or_error(read: Callable[[], _T]) -> _T | ModelFileError:
    """What is read, or why it could not be. Any other exception is a fault of ours."""
    try:
        return read()
    except ModelFileError as error:
        return error


@st.composite
def _changed(draw: st.DrawFn) -> bytes:
    """A published configuration with some fields, nested ones among them, changed or left out."""
    config: dict[str, Any] = json.loads(json.dumps(READ[draw(st.sampled_from(NAMES))]))
    for _ in range(draw(st.integers(1, 4))):
        nested = [config, *(value for value in config.values() if isinstance(value, dict))]
        fields = draw(st.sampled_from(nested))
        if not fields:
            continue
        name = draw(st.sampled_from(sorted(fields)))
        if draw(st.booleans()):
            fields[name] = draw(_VALUES)
        else:
            del fields[name]
    return json.dumps(config).encode()


@settings(max_examples=400, deadline=None)
@given(_changed())
def test_a_changed_configuration_can_be_sized_or_is_refused_by_name(text: bytes) -> None:
    facts = _or_error(lambda: facts_of_config(text, "config.json", "x"))
    if isinstance(facts, ModelFileError):
        assert str(facts).startswith("config.json")
        assert facts.remedy
        return
    try:
        sizing = estimate_model_size(facts, SizingRequest("x"))
    except SizingError:
        return
    assert sizing.total_bytes > 0
    assert facts.total_params >= facts.parameters.loaded > 0


HEADER, SIZE = header_of(small_model())


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(HEADER) - 1), st.binary(max_size=4), st.integers(0, 4))
def test_a_changed_header_is_read_or_refused_by_name(at: int, inserted: bytes, dropped: int) -> None:
    header = HEADER[:at] + inserted + HEADER[at + dropped :]
    tensors = _or_error(lambda: parse_header(header, "a.safetensors", SIZE))
    if isinstance(tensors, ModelFileError):
        assert str(tensors).startswith("a.safetensors")
        return
    assert sum(tensor.bytes for tensor in tensors) == SIZE


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_an_index_or_refused(text: bytes) -> None:
    found = _or_error(lambda: shards_of(b'{"weight_map": {"a": "b.safetensors"' + text, "i"))
    assert isinstance(found, ModelFileError) or 0 < len(found[0]) <= found[1]
