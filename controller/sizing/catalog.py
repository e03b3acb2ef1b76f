"""The facts of the models that can be sized, by exact id.

The bundled files are ``data/families/*.json``; the README beside them names their origin. An id is never matched by
its suffix or by similarity: a fine-tune is not its base model.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Self

from controller.sizing.errors import UnknownFacts, UnknownModel
from controller.sizing.facts import Checkpoint, ModelFacts
from controller.sizing.family_file import EnteredFacts, FamilyFile, ModelEntry, decode
from controller.sizing.parameters import count_parameters


class CatalogError(ValueError):
    """Files that cannot be used together. The text names the model."""


class Catalog:
    """Model facts by exact id."""

    def __init__(self, models: Iterable[ModelFacts] = (), entries: Mapping[str, ModelEntry] | None = None) -> None:
        self._models = {facts.model_id: facts for facts in models}
        self._entries = entries or {}

    def get(self, model_id: str) -> ModelFacts:
        """The facts of that exact id. Raises UnknownModel with the nearest ids, UnknownFacts for an id without."""
        facts = self._models.get(model_id)
        if facts is not None:
            return facts
        entry = self._entries.get(model_id)
        if entry is None:
            raise UnknownModel(model_id, self._nearest(model_id))
        facts = self._models[model_id] = self._resolve(entry)
        return facts

    def ids(self) -> tuple[str, ...]:
        """Every id, sorted, those without facts included."""
        return tuple(sorted(self._models.keys() | self._entries.keys()))

    def known_ids(self) -> tuple[str, ...]:
        """Every id with facts, sorted."""
        return tuple(model_id for model_id in self.ids() if self._is_known(model_id))

    def with_models(self, models: Iterable[ModelFacts]) -> "Catalog":
        """This catalogue with further models; they win over entries of the same id."""
        return Catalog((*self._models.values(), *models), self._entries)

    def _is_known(self, model_id: str) -> bool:
        if model_id in self._models:
            return True
        entry = self._entries[model_id]
        return self._is_known(entry.same_as) if entry.same_as else entry.facts != "unknown"

    def _resolve(self, entry: ModelEntry) -> ModelFacts:
        if entry.same_as is not None:
            return _sibling(self.get(entry.same_as), entry)
        if isinstance(entry.facts, EnteredFacts):
            return _facts(entry, entry.facts)
        raise UnknownFacts(entry.id)

    def _nearest(self, model_id: str) -> tuple[str, ...]:
        by_folded = {known.casefold(): known for known in self.ids()}
        # an id of a thousand characters is no typing mistake, and comparing it would only cost time
        matches = difflib.get_close_matches(model_id[:200].casefold(), by_folded, n=3, cutoff=0.6)
        return tuple(by_folded[match] for match in matches)

    @classmethod
    def of(cls, families: Iterable[FamilyFile]) -> Self:
        """The catalogue of these families. Raises CatalogError for an id given twice or a sibling that is not there."""
        return cls((), _entries(families))

    @classmethod
    def bundled(cls) -> Self:
        """The catalogue shipped with this package; its files are read once."""
        return cls((), _bundled_entries())


@cache
def _bundled_entries() -> Mapping[str, ModelEntry]:
    folder = files("controller.sizing").joinpath("data/families")
    found = sorted((file for file in folder.iterdir() if file.name.endswith(".json")), key=lambda file: file.name)
    return _entries(decode(file.read_bytes(), file.name) for file in found)


def _entries(families: Iterable[FamilyFile]) -> Mapping[str, ModelEntry]:
    entries: dict[str, ModelEntry] = {}
    for family in families:
        for entry in family.models:
            if entry.id in entries:
                raise CatalogError(f"model {entry.id} stands in more than one place: keep one")
            entries[entry.id] = entry
    for entry in entries.values():
        if entry.same_as is not None and not _has_own_facts(entries.get(entry.same_as)):
            raise CatalogError(f"model {entry.id}: same_as {entry.same_as!r} names no model with facts of its own")
    return entries


def _has_own_facts(entry: ModelEntry | None) -> bool:
    return entry is not None and isinstance(entry.facts, EnteredFacts)


def _facts(entry: ModelEntry, entered: EnteredFacts) -> ModelFacts:
    counts = count_parameters(entered.shape)
    if entered.total_params is not None:
        counts = replace(counts, other=max(0, entered.total_params - counts.total))
    return ModelFacts(entry.id, entered.shape, counts, entered.checkpoint, entry.sources)


def _sibling(facts: ModelFacts, entry: ModelEntry) -> ModelFacts:
    checkpoint: Checkpoint = entry.checkpoint or facts.checkpoint
    return replace(
        facts,
        model_id=entry.id,
        checkpoint=checkpoint,
        sources=(*entry.sources, *facts.sources),
        same_as=facts.model_id,
    )
