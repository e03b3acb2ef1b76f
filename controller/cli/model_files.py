"""Reading a model's own files: its config.json, and the headers of its safetensors files. Tensors are never read.

Of a file no more is read than its largest sensible size, so that a file of any size, a pipe or a device costs neither
memory nor time.
"""

from collections.abc import Sequence
from pathlib import Path

from controller.sizing.checkpoint_facts import with_tensors
from controller.sizing.config_fields import MAX_BYTES, ConfigFields
from controller.sizing.facts import ModelFacts
from controller.sizing.hugging_face_config import facts_of_config
from controller.sizing.model_file_errors import ModelFileError, UnknownArchitecture
from controller.sizing.safetensors import (
    LENGTH_BYTES,
    MAX_HEADERS_BYTES,
    MAX_INDEX_BYTES,
    MAX_SHARDS,
    MAX_TENSORS,
    StoredTensor,
    header_length,
    parse_header,
    shards_of,
)
from controller.sizing.tensor_estimate import estimated_facts
from controller.sizing.tensor_roles import MAX_KINDS, TensorTally

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
QUANTIZATION = "hf_quant_config.json"

_ONE_MODEL = "name the directory of one model, or give its config.json (--config FILE)"
_ITS_OWN = "take the config.json of the model itself"


def facts_of_config_file(file: Path, model_id: str) -> ModelFacts:
    """The facts of a config.json, and of the file beside it that ModelOpt writes. Raises ModelFileError."""
    text = _read(file, MAX_BYTES, _ITS_OWN)
    quantized = file.with_name(QUANTIZATION)
    beside = None
    if file.name == CONFIG and quantized.exists():
        beside = ConfigFields(str(quantized), _read(quantized, MAX_BYTES, _ITS_OWN))
    return facts_of_config(text, str(file), model_id, beside)


def facts_of_directory(directory: Path, model_id: str) -> ModelFacts:
    """The facts of a checkpoint: of its config.json and tensors, or an estimate of its tensors. Raises ModelFileError.

    The estimate is for a directory without a config.json, or with one of an architecture that is not known.
    """
    if not directory.is_dir():
        raise ModelFileError(str(directory), "", None, "is no directory", "name the directory of a checkpoint")
    tally = _tally(directory)
    try:
        facts = facts_of_config_file(directory / CONFIG, model_id) if (directory / CONFIG).exists() else None
    except UnknownArchitecture:
        facts = None
    if facts is None:
        return estimated_facts(tally, str(directory), model_id)
    return with_tensors(facts, tally, str(directory))


def _tally(directory: Path) -> TensorTally:
    files, indexed = _files(directory)
    _refuse_long_headers(files, directory)
    tally = TensorTally()
    for file in files:
        tally.add(_tensors(file))
        if tally.tensors > MAX_TENSORS or tally.kinds > MAX_KINDS:
            problem = f"holds more than {MAX_TENSORS} tensors, or {MAX_KINDS} that differ in more than numbers"
            raise ModelFileError(str(directory), "", None, problem, _ONE_MODEL)
    if tally.tensors < indexed:
        problem = f"names {indexed} tensors, its files hold {tally.tensors}"
        raise ModelFileError(str(directory / INDEX), "weight_map", None, problem, "download the model again")
    return tally


def _files(directory: Path) -> tuple[list[Path], int]:
    """The checkpoint's files, and how many tensors its index names, 0 without an index."""
    index = directory / INDEX
    if index.exists():
        names, tensors = shards_of(_read(index, MAX_INDEX_BYTES, "download it again"), str(index))
        missing = [name for name in names if not (directory / name).exists()]
        if missing:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            problem = f"names files that are not there: {', '.join(missing[:3])}{more}"
            raise ModelFileError(str(index), "weight_map", None, problem, "download what is missing")
        return [directory / name for name in names], tensors
    if (directory / SINGLE).exists():
        return [directory / SINGLE], 0
    found = sorted(directory.glob("*.safetensors"))
    if not found:
        problem = "holds no safetensors file"
        raise ModelFileError(
            str(directory), "", None, problem, "name the directory of a checkpoint, or give its config.json (--config)"
        )
    if len(found) > MAX_SHARDS:
        problem = f"holds {len(found)} safetensors files"
        raise ModelFileError(str(directory), "", None, problem, _ONE_MODEL)
    return found, 0


def _refuse_long_headers(files: Sequence[Path], directory: Path) -> None:
    """Raises ModelFileError, before any is parsed, for headers that together are longer than any model's."""
    total = sum(_header(file, parsed=False)[1] for file in files)
    if total > MAX_HEADERS_BYTES:
        problem = f"has headers of {total} bytes in {len(files)} files, more than the {MAX_HEADERS_BYTES} that are read"
        raise ModelFileError(str(directory), "", None, problem, _ONE_MODEL)


def _tensors(file: Path) -> tuple[StoredTensor, ...]:
    header, length, size = _header(file)
    return parse_header(header, str(file), size - LENGTH_BYTES - length)


def _header(file: Path, *, parsed: bool = True) -> tuple[bytes, int, int]:
    """A file's header (empty when it will not be parsed), how long it is, and how long the file is."""
    size = _size(file, "download it again")
    try:
        with file.open("rb") as opened:
            length = header_length(opened.read(LENGTH_BYTES), str(file), size)
            return opened.read(length) if parsed else b"", length, size
    except OSError as error:
        raise _unreadable(file, error, "name a readable checkpoint") from error


def _read(file: Path, most: int, remedy: str) -> bytes:
    size = _size(file, remedy)
    if size > most:
        raise ModelFileError(str(file), "", None, f"has {size} bytes, more than the {most} that are read", remedy)
    try:
        with file.open("rb") as opened:
            return opened.read(most)
    except OSError as error:
        raise _unreadable(file, error, remedy) from error


def _size(file: Path, remedy: str) -> int:
    """Bytes of a regular file. Raises ModelFileError for anything else: opening a pipe could wait for ever."""
    try:
        found = file.stat()
    except (OSError, ValueError) as error:
        raise _unreadable(file, error, remedy) from error
    if not file.is_file():
        kind = "is a directory" if file.is_dir() else "is no regular file"
        remedy = "give a directory as --directory" if file.is_dir() else remedy
        raise ModelFileError(str(file), "", None, kind, remedy)
    return found.st_size


def _unreadable(file: Path, error: Exception, remedy: str) -> ModelFileError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ModelFileError(str(file), "", None, f"cannot be read ({reason})", remedy)
