"""The lists of models that profiles are generated for: those of the earlier prototype, and AIM's catalogue."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Final

import msgspec

from controller.sizing.precision import Precision


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model on a list: the name it has there, and the exact id that means; None when there is no such model."""

    name: str
    id: str | None
    note: str = ""


class ModelList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A list, and where it is from."""

    source: str
    models: tuple[Listed, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model of a list in one precision; ``auto`` is the one of its checkpoint."""

    listed: Listed
    precision: Precision


LISTS: Final[Mapping[str, tuple[str, tuple[Precision, ...]]]] = MappingProxyType(
    {
        "rows": ("prototype.json", (Precision.FP16, Precision.INT8, Precision.INT4)),
        "aim_catalogue": ("aim.json", (Precision.AUTO,)),
    }
)
"""The index's lists: the file, and the precisions each of its models is wanted in."""


def wanted(name: str) -> Iterator[Wanted]:
    """What the list of that name in the index wants, in the file's order."""
    file, precisions = LISTS[name]
    text = files("controller.sizing").joinpath("data/lists", file).read_bytes()
    for listed in msgspec.json.decode(text, type=ModelList).models:
        for precision in precisions:
            yield Wanted(listed, precision)
