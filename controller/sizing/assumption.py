"""What is taken for granted of a model because its own file does not tell it: named in the answer, never silent."""

from collections.abc import Iterable, Mapping
from typing import Final

from controller.sizing.facts import Source

_MARK: Final = "tells nothing of what its configuration class has a default for:"


def assumption(file: str, assumed: Mapping[str, int | str]) -> Source:
    """The source of these fields, each with its value."""
    values = ", ".join(f"{name} {value}" for name, value in assumed.items())
    return Source(", ".join(assumed), f"{file} {_MARK} {values}", "known")


def assumptions(sources: Iterable[Source]) -> Iterable[str]:
    """The sentences of those among them that are assumptions."""
    return (source.where for source in sources if _MARK in source.where)
