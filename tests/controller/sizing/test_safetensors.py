import json
from typing import Any

import pytest

from controller.sizing.model_file_errors import ModelFileError
from controller.sizing.safetensors import (
    MAX_HEADER_BYTES,
    StoredTensor,
    header_length,
    parse_header,
    shards_of,
)
from tests.builders.checkpoint import header_of


def _entry(dtype: str = "BF16", shape: Any = (2, 3), data_offsets: Any = (0, 12)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(data_offsets)}


def _parse(entries: dict[str, Any], data_bytes: int = 12) -> tuple[StoredTensor, ...]:
    return parse_header(json.dumps(entries).encode(), "a.safetensors", data_bytes)


def test_a_header_tells_each_tensors_type_shape_and_bytes() -> None:
    header, size = header_of({"a": ("BF16", [2, 3]), "b": ("F8_E4M3", [4]), "c": ("F4", [8]), "d": ("F32", [])})
    assert size == 12 + 4 + 4 + 4
    found = parse_header(header, "a.safetensors", size)
    assert [(tensor.name, tensor.bytes, tensor.elements) for tensor in found] == [
        ("a", 12, 6),
        ("b", 4, 4),
        ("c", 4, 8),
        ("d", 4, 1),
    ]


def test_metadata_is_no_tensor_whatever_it_holds() -> None:
    assert _parse({"__metadata__": {"shape": "odd", "dtype": 7}, "a": _entry()})[0].name == "a"


def test_tensors_may_stand_in_any_order_and_be_empty() -> None:
    later, empty, first = _entry(data_offsets=(12, 24)), _entry(shape=(0, 3), data_offsets=(12, 12)), _entry()
    assert len(_parse({"later": later, "empty": empty, "first": first}, 24)) == 3


LENGTHS = {
    "no file at all": (b"", 0, "bytes are too few"),
    "longer than the file": ((2**40).to_bytes(8, "little"), 100, "header length 1099511627776 is more than the file"),
    "as long as can be said": (b"\xff" * 8, 100, "header length 18446744073709551615 is more than the file"),
    "longer than is read": ((MAX_HEADER_BYTES + 1).to_bytes(8, "little"), 10**9, "is more than is read"),
}


@pytest.mark.parametrize(("start", "file_bytes", "message"), LENGTHS.values(), ids=LENGTHS)
def test_a_length_that_lies_is_refused(start: bytes, file_bytes: int, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        header_length(start, "a.safetensors", file_bytes)


HEADERS: dict[str, tuple[dict[str, Any], str]] = {
    "overlapping": (
        {"a": _entry(), "b": _entry(data_offsets=(6, 18))},
        r"a\.safetensors: tensor b: data_offsets \[6, 18\] overlap the tensor before, which ends at 12",
    ),
    "a gap": ({"a": _entry(data_offsets=(2, 14))}, r"data_offsets \[2, 14\] leave a gap"),
    "backwards": ({"a": _entry(data_offsets=(12, 0))}, r"data_offsets \[12, 0\] go backwards"),
    "negative": ({"a": _entry(data_offsets=(-12, 0))}, "tensor a cannot be read .*Expected `int` >= 0"),
    "cut off": ({"a": _entry(shape=(4, 3), data_offsets=(0, 24))}, "is cut off: its tensors end at byte 24, .* at 12"),
    "bytes of nobody": ({"a": _entry(shape=(1, 3), data_offsets=(0, 6))}, "has bytes that belong to no tensor"),
    "another size": ({"a": _entry(shape=(2, 4))}, r"shape \[2, 4\] of BF16 takes 16 bytes, data_offsets hold 12"),
    "an unknown type": ({"a": _entry("Q9")}, "tensor a: dtype 'Q9' is a type that is not known here: use one of"),
    "a shape of huge sides": ({"a": _entry(shape=(2**60, 2**60))}, "cannot be"),
    "a negative side": ({"a": _entry(shape=(-2, -3))}, "cannot be"),
    "no shape": ({"a": {"dtype": "BF16", "data_offsets": [0, 12]}}, "tensor a cannot be read"),
    "offsets that are texts": ({"a": _entry(data_offsets=("0", "12"))}, "tensor a cannot be read"),
    "offsets beyond any file": ({"a": _entry(data_offsets=(0, 10**30))}, "tensor a"),
    "no object": ({"a": 1}, "tensor a cannot be read"),
    "a name as long as a page": ({"a" * 600: _entry()}, r"tensor a{100}\.\.\. has a name of 600 characters"),
    "no type": ({"a": {"shape": [2, 3], "data_offsets": [0, 12]}}, "tensor a cannot be read .*missing .*`dtype`"),
    "sides by the dozen": ({"a": _entry(shape=(1,) * 20)}, "tensor a cannot be read .*length <= 16"),
    "one beside odd metadata": ({"__metadata__": {"shape": 1}, "a": _entry("Q9")}, "tensor a: dtype 'Q9' is a type"),
}


@pytest.mark.parametrize(("entries", "message"), HEADERS.values(), ids=HEADERS)
def test_a_header_that_cannot_be_is_refused_naming_the_tensor(entries: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        _parse(entries)


@pytest.mark.parametrize("header", [b"", b"[]", b"\xff\xff", b'{"a":', b'{"a":' + b"[" * 10**5])
def test_a_header_that_is_no_json_object_is_refused(header: bytes) -> None:
    with pytest.raises(ModelFileError, match=r"a\.safetensors: header is not a JSON object"):
        parse_header(header, "a.safetensors", 0)


def test_an_index_names_its_shards_and_how_many_tensors_they_hold() -> None:
    index = {"metadata": {}, "weight_map": {"a": "x-2.safetensors", "b": "x-1.safetensors", "c": "x-1.safetensors"}}
    assert shards_of(json.dumps(index).encode(), "i.json") == (("x-1.safetensors", "x-2.safetensors"), 3)


INDEXES: dict[str, tuple[bytes, str]] = {
    "no map": (b"{}", "weight_map cannot be read"),
    "an empty map": (b'{"weight_map": {}}', "names no file"),
    "no JSON": (b"weights", "cannot be read"),
    "a file elsewhere": (
        b'{"weight_map": {"a": "../../etc/x.safetensors"}}',
        "is no name of a safetensors file beside",
    ),
    "another kind of file": (b'{"weight_map": {"a": "model.bin"}}', "'model.bin' is no name of a safetensors file"),
    "files without end": (
        json.dumps({"weight_map": {str(i): f"{i}.safetensors" for i in range(5000)}}).encode(),
        "names more than 4096 files",
    ),
}


@pytest.mark.parametrize(("index", "message"), INDEXES.values(), ids=INDEXES)
def test_an_index_that_cannot_be_is_refused(index: bytes, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        shards_of(index, "model.safetensors.index.json")
