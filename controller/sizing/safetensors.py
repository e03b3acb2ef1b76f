"""The header of a safetensors file: which tensors it holds, of which type and shape. The tensors are never read.

A file is 8 bytes with the header's length (little endian), the header, a JSON object, and the tensors' bytes. For each
tensor the header tells type, shape and where its bytes begin and end; together they fill the file without a gap
(huggingface/safetensors, its README and ``tensor.rs``). A header that says otherwise is refused, as its figures would
be worth nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import msgspec

from controller.sizing.model_file_errors import ModelFileError

LENGTH_BYTES: Final = 8

MAX_HEADER_BYTES: Final = 4 * 2**20
"""Bytes of the largest header that is read, some 30,000 tensors: published files have a few thousand in each."""

MAX_HEADERS_BYTES: Final = 40 * 2**20
"""Bytes of all headers of a checkpoint together: 207,000 tensors, the most of a published one, take some 30 MB."""

MAX_INDEX_BYTES: Final = 24 * 2**20
"""Bytes of the largest index that is read: a trillion parameters in 140,000 tensors take 13 MB."""

MAX_SHARDS: Final = 4096
MAX_TENSORS: Final = 500_000
"""Of a whole checkpoint: the largest published ones have 210,000."""

BITS: Final[Mapping[str, int]] = MappingProxyType(
    {"F64": 64, "I64": 64, "U64": 64, "C64": 64, "F32": 32, "I32": 32, "U32": 32}
    | {"F16": 16, "BF16": 16, "I16": 16, "U16": 16}
    | {"F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "I8": 8, "U8": 8, "BOOL": 8}
    | {"F6_E2M3": 6, "F6_E3M2": 6, "F4": 4}
)
"""Bits of one element by type."""

_LOST = "download the file again"

_LARGEST: Final = 2**53
_NAME = re.compile(rb':\s*"((?:[^"\\]|\\.){1,255})"')


class _Entry(msgspec.Struct, frozen=True):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


class _Index(msgspec.Struct, frozen=True):
    weight_map: msgspec.Raw


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor of a file: its name, type, shape and bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int

    @property
    def elements(self) -> int:
        """Elements as stored: packed ones are fewer than what they stand for."""
        return self.bytes * 8 // BITS[self.dtype]


def header_length(start: bytes, file: str, file_bytes: int) -> int:
    """Bytes of the header, from the first 8 bytes of a file of so many. Raises ModelFileError."""
    if len(start) < LENGTH_BYTES:
        raise ModelFileError(file, "", file_bytes, "bytes are too few for a safetensors file", _LOST)
    length = int.from_bytes(start[:LENGTH_BYTES], "little")
    if length > file_bytes - LENGTH_BYTES:
        problem = f"is more than the file has, {file_bytes} bytes: it is cut off, or no safetensors file"
        raise ModelFileError(file, "header length", length, problem, _LOST)
    if length > MAX_HEADER_BYTES:
        problem = f"is more than is read, {MAX_HEADER_BYTES} bytes"
        raise ModelFileError(file, "header length", length, problem, "split the checkpoint into shards")
    return length


def parse_header(header: bytes, file: str, data_bytes: int) -> tuple[StoredTensor, ...]:
    """The tensors of a file whose tensors take ``data_bytes``. Raises ModelFileError naming the tensor."""
    try:
        entries = msgspec.json.decode(header, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelFileError(file, "header", None, f"is not a JSON object ({error})", _LOST) from None
    entries.pop("__metadata__", None)
    found = [(_entry(name, raw, file), name) for name, raw in entries.items()]
    _refuse_gaps(found, file, data_bytes)
    return tuple(_tensor(entry, name, file) for entry, name in found)


def shards_of(index: bytes, file: str) -> tuple[tuple[str, ...], int]:
    """The files an index names, sorted, and how many tensors it names. Raises ModelFileError."""
    try:
        names = memoryview(msgspec.json.decode(index, type=_Index).weight_map)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelFileError(file, "weight_map", None, f"cannot be read ({error})", _LOST) from None
    shards: set[str] = set()
    tensors = 0
    for match in _NAME.finditer(names):
        tensors += 1
        shards.add(bytes(match[1]).decode(errors="replace"))
        if len(shards) > MAX_SHARDS or tensors > MAX_TENSORS:
            problem = f"names more than {MAX_SHARDS} files or {MAX_TENSORS} tensors"
            raise ModelFileError(file, "weight_map", None, problem, _LOST)
    for shard in shards:
        if "/" in shard or "\\" in shard or not shard.endswith(".safetensors"):
            raise ModelFileError(file, "weight_map", shard, "is no name of a safetensors file beside it", _LOST)
    if not shards:
        raise ModelFileError(file, "weight_map", None, "names no file", _LOST)
    return tuple(sorted(shards)), tensors


def _entry(name: str, raw: msgspec.Raw, file: str) -> _Entry:
    try:
        entry = msgspec.json.decode(raw, type=_Entry)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelFileError(file, f"tensor {name[:100]}", None, f"cannot be read ({error})", _LOST) from None
    begin, end = entry.data_offsets
    if not 0 <= begin <= end <= _LARGEST:
        raise ModelFileError(file, f"tensor {name[:100]}: data_offsets", [begin, end], "go backwards", _LOST)
    return entry


def _refuse_gaps(found: list[tuple[_Entry, str]], file: str, data_bytes: int) -> None:
    """Raises ModelFileError unless the tensors lie one behind the other and end where the file does."""
    reached = 0
    for entry, name in sorted(found, key=lambda pair: pair[0].data_offsets):
        begin, end = entry.data_offsets
        if begin != reached:
            kind = "overlap the tensor before" if begin < reached else "leave a gap behind the tensor before"
            where = f"tensor {name[:100]}: data_offsets"
            raise ModelFileError(file, where, [begin, end], f"{kind}, which ends at {reached}", _LOST)
        reached = end
    if reached != data_bytes:
        short = "is cut off" if reached > data_bytes else "has bytes that belong to no tensor"
        problem = f"{short}: its tensors end at byte {reached}, the file's data at {data_bytes}"
        raise ModelFileError(file, "", None, problem, _LOST)


def _tensor(entry: _Entry, name: str, file: str) -> StoredTensor:
    bits = BITS.get(entry.dtype)
    if bits is None:
        problem = "is a type that is not known here"
        raise ModelFileError(file, f"tensor {name[:100]}: dtype", entry.dtype, problem, f"use one of {', '.join(BITS)}")
    elements = 1
    for width in entry.shape:
        if not 0 <= width <= _LARGEST or elements > _LARGEST:
            raise ModelFileError(file, f"tensor {name[:100]}: shape", list(entry.shape), "cannot be", _LOST)
        elements *= width
    size = entry.data_offsets[1] - entry.data_offsets[0]
    if elements * bits != size * 8:
        problem = f"of {entry.dtype} takes {-(-elements * bits // 8)} bytes, data_offsets hold {size}"
        raise ModelFileError(file, f"tensor {name[:100]}: shape", list(entry.shape), problem, _LOST)
    return StoredTensor(name, entry.dtype, entry.shape, size)
