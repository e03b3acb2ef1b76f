"""The files of the catalogue, ``data/families/<family>.json``, one a family: format, decoding, JSON schema.

An entry has the facts of its id, or ``"facts": "unknown"`` when nobody found them, or the id of the sibling whose
shape it has with the source that says so. A field the format does not know is refused.

``python -m controller.sizing.family_file --out FILE`` writes the JSON schema.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Literal

import msgspec

from controller.sizing.facts import Amount, Checkpoint, Shape, Source


class FamilyFileError(ValueError):
    """A file that cannot be used. The text names the file, the model and the field."""


class EnteredFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was found out about a model. ``total_params``: stored elements as published, None: computed only."""

    shape: Shape
    checkpoint: Checkpoint
    total_params: Amount | None = None


class ModelEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One id. Exactly one of ``facts`` and ``same_as`` is there; ``checkpoint`` is the id's own beside ``same_as``."""

    id: str
    sources: tuple[Source, ...]
    facts: EnteredFacts | Literal["unknown"] | None = None
    same_as: str | None = None
    checkpoint: Checkpoint | None = None
    notes: str = ""


class FamilyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A family's models, sorted by id."""

    family: str
    models: tuple[ModelEntry, ...]


_DECODER = msgspec.json.Decoder(FamilyFile)


def decode(text: bytes, name: str) -> FamilyFile:
    """Read a family file of that name. Raises FamilyFileError."""
    try:
        family = _DECODER.decode(text)
    except msgspec.DecodeError as error:
        raise FamilyFileError(f"{name}: {error}") from None
    for entry in family.models:
        _check(entry, name)
    return family


def encode(family: FamilyFile) -> bytes:
    """The file's text, as committed: indented, ending with a line break."""
    return msgspec.json.format(msgspec.json.encode(family), indent=2) + b"\n"


def json_schema() -> dict[str, Any]:
    """The JSON schema of a family file, defaults as JSON has them."""
    schema: dict[str, Any] = json.loads(json.dumps(msgspec.json.schema(FamilyFile)))
    return schema


def _check(entry: ModelEntry, name: str) -> None:
    if (entry.facts is None) == (entry.same_as is None):
        raise FamilyFileError(f"{name}: model {entry.id}: give either facts or same_as")
    if entry.checkpoint is not None and entry.same_as is None:
        raise FamilyFileError(f"{name}: model {entry.id}: checkpoint belongs into facts")
    if not entry.sources and entry.facts != "unknown":
        raise FamilyFileError(f"{name}: model {entry.id}: sources is empty: say where its facts are from")


def main() -> None:
    """Write the JSON schema of the catalogue's files."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.parse_args().out.write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
