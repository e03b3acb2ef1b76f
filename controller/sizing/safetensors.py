"""The header of a safetensors file: which tensors it holds, of which type and shape. The tensors are never read.

A file is 8 bytes with the header's length (little endian), the header, a JSON object, and the tensors' bytes. For each
tensor the header tells type, shape and where its bytes begin and end; together they fill the file without a gap
(huggingface/safetensors, its README and ``tensor.rs``). A header that says otherwise is refused, as its figures would
be worth nothing.
"""

import math
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Final

import msgspec

from controller.sizing.model_file_errors import ModelFileError

LENGTH_BYTES: Final = 8

MAX_HEADER_BYTES: Final = 4 * 2**20
"""Bytes of the largest header that is read, some 30,000 tensors: published files have a few thousand in each."""

MAX_HEADERS_BYTES: Final = 40 * 2**20
"""Bytes of all headers of a checkpoint together: the 280,000 tensors of Kimi K2.5 in NVFP4 take some 37 MiB."""

MAX_INDEX_BYTES: Final = 32 * 2**20
"""Bytes of the largest index that is read: 140,000 tensors take 13 MB, the most that are read 33 MB."""

MAX_SHARDS: Final = 4096
MAX_TENSORS: Final = 350_000
"""Of a whole checkpoint. Kimi K2.5 has 207,000 with experts in 4 bit, 280,000 in NVFP4; Kimi K3, with half a million,
is sized by its config.json."""

MAX_NAME: Final = 512
"""Characters of a tensor's name: published ones have about a hundred."""

BITS: Final[Mapping[str, int]] = MappingProxyType(
    {"F64": 64, "I64": 64, "U64": 64, "C64": 64, "F32": 32, "I32": 32, "U32": 32}
    | {"F16": 16, "BF16": 16, "I16": 16, "U16": 16}
    | {"F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "I8": 8, "U8": 8, "BOOL": 8}
    | {"F6_E2M3": 6, "F6_E3M2": 6, "F4": 4}
)
"""Bits of one element by type."""

_LOST = "download the file again"
_METADATA: Final = "__metadata__"

_NAME = re.compile(rb':\s*"((?:[^"\\]|\\.){1,255})"')

_Offset = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Side = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Shape = Annotated[tuple[_Side, ...], msgspec.Meta(max_length=16)]


class _Entry(msgspec.Struct, frozen=True, gc=False):
    dtype: str
    shape: _Shape
    data_offsets: tuple[_Offset, _Offset]


class _AnyEntry(msgspec.Struct, frozen=True, gc=False):
    """An entry, or what stands under ``__metadata__``: so all of a header are decoded at once."""

    dtype: str | None = None
    shape: _Shape | None = None
    data_offsets: tuple[_Offset, _Offset] | None = None


class _Index(msgspec.Struct, frozen=True):
    weight_map: msgspec.Raw


class StoredTensor(msgspec.Struct, frozen=True, gc=False):
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
    entries = _entries(header, file)
    _refuse_gaps(entries, file, data_bytes)
    return tuple(_tensor(name, entry, file) for name, entry in entries.items())


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


def _entries(header: bytes, file: str) -> Mapping[str, _Entry | _AnyEntry]:
    """The entries of all tensors. A header has ten thousands, so they are decoded one by one for a complaint only."""
    try:
        found = msgspec.json.decode(header, type=dict[str, _AnyEntry])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _entries_one_by_one(header, file)
    found.pop(_METADATA, None)
    for entry in found.values():
        if entry.dtype is None or entry.shape is None or entry.data_offsets is None:
            return _entries_one_by_one(header, file)
    return found


def _entries_one_by_one(header: bytes, file: str) -> Mapping[str, _Entry]:
    """The same, whatever the metadata are. Raises ModelFileError naming the tensor."""
    try:
        entries = msgspec.json.decode(header, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelFileError(file, "header", None, f"is not a JSON object ({error})", _LOST) from None
    entries.pop(_METADATA, None)
    return {name: _entry(name, raw, file) for name, raw in entries.items()}


def _entry(name: str, raw: msgspec.Raw, file: str) -> _Entry:
    try:
        return msgspec.json.decode(raw, type=_Entry)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelFileError(file, f"tensor {name[:100]}", None, f"cannot be read ({error})", _LOST) from None


def _refuse_gaps(entries: Mapping[str, _Entry | _AnyEntry], file: str, data_bytes: int) -> None:
    """Raises ModelFileError unless the tensors lie one behind the other and end where the file does."""
    reached = _end_in_order(entries)
    if reached is None:
        offsets = [(*(entry.data_offsets or (0, 0)), name) for name, entry in entries.items()]
        reached = _end(sorted(offsets), file)
    if reached != data_bytes:
        short = "is cut off" if reached > data_bytes else "has bytes that belong to no tensor"
        problem = f"{short}: its tensors end at byte {reached}, the file's data at {data_bytes}"
        raise ModelFileError(file, "", None, problem, _LOST)


def _end_in_order(entries: Mapping[str, _Entry | _AnyEntry]) -> int | None:
    """Where the last of them ends when each begins where the one before ends, as files are written; else None."""
    reached = 0
    for entry in entries.values():
        begin, end = entry.data_offsets or (0, 0)
        if begin != reached or end < begin:
            return None
        reached = end
    return reached


def _end(offsets: Iterable[tuple[int, int, str]], file: str) -> int:
    """Where the last of these ends. Raises ModelFileError for a gap, an overlap, or one that goes backwards."""
    reached = 0
    for begin, end, name in offsets:
        if begin != reached or end < begin:
            where = f"tensor {name[:100]}: data_offsets"
            raise ModelFileError(file, where, [begin, end], _misplaced(begin, end, reached), _LOST)
        reached = end
    return reached


def _misplaced(begin: int, end: int, reached: int) -> str:
    if end < begin:
        return "go backwards"
    kind = "overlap the tensor before" if begin < reached else "leave a gap behind the tensor before"
    return f"{kind}, which ends at {reached}"


def _tensor(name: str, entry: _Entry | _AnyEntry, file: str) -> StoredTensor:
    if len(name) > MAX_NAME:
        problem = f"has a name of {len(name)} characters, more than the {MAX_NAME} that are read"
        raise ModelFileError(file, f"tensor {name[:100]}...", None, problem, _LOST)
    dtype, shape, (begin, end) = entry.dtype or "", entry.shape or (), entry.data_offsets or (0, 0)
    bits = BITS.get(dtype)
    if bits is None:
        problem = "is a type that is not known here"
        raise ModelFileError(file, f"tensor {name[:100]}: dtype", dtype, problem, f"use one of {', '.join(BITS)}")
    elements, size = math.prod(shape), end - begin
    if elements * bits != size * 8:
        problem = f"of {dtype} takes {-(-elements * bits // 8)} bytes, data_offsets hold {size}"
        raise ModelFileError(file, f"tensor {name[:100]}: shape", list(shape), problem, _LOST)
    return StoredTensor(name, dtype, shape, size)
