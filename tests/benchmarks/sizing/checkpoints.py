"""Bytes of checkpoints, computed from shapes, against published ones: ``tests/data/checkpoint-sizes``.

They are a property of the catalogue and of the rules about quantization; no file of observations has anything to do
with them.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from controller.sizing.catalog import Catalog
from controller.sizing.facts import ModelFacts
from controller.sizing.parameters import count_parameters
from controller.sizing.precision import native_precision
from controller.sizing.weights import stored_bytes
from tests.benchmarks.sizing.observation import GIB

PUBLISHED = Path(__file__).parents[2] / "data" / "checkpoint-sizes" / "published_sizes.json"

Kind: TypeAlias = Literal["tensors", "files"]
"""``tensors``: exact totals of an index; ``files``: sizes of files to 0.01 GiB, with their headers."""

_OF_KIND: Mapping[Kind, tuple[str, float]] = {"tensors": ("bytes", 1), "files": ("gib", GIB)}


@dataclass(frozen=True, slots=True)
class CheckpointError:
    """``error`` is a share: computed bytes over published ones, less one. ``precision`` is the published one."""

    model_id: str
    kind: Kind
    precision: str
    error: float


def checkpoint_errors(catalog: Catalog, path: Path = PUBLISHED) -> tuple[CheckpointError, ...]:
    """Every published size of a model that the catalogue knows."""
    return tuple(_errors(catalog, path))


def by_precision(found: Sequence[CheckpointError]) -> Mapping[str, Sequence[CheckpointError]]:
    """Exact totals and file sizes of each precision."""
    groups: dict[str, list[CheckpointError]] = defaultdict(list)
    for error in found:
        groups[f"{error.kind}, {error.precision}"].append(error)
    return dict(sorted(groups.items()))


def from_shape(facts: ModelFacts) -> int:
    """Bytes of the shape alone: what a published count of elements has beyond it is not counted."""
    return stored_bytes(replace(facts, parameters=count_parameters(facts.shape)), native_precision(facts))


def _errors(catalog: Catalog, path: Path) -> Iterator[CheckpointError]:
    lists = msgspec.json.decode(path.read_bytes())
    for kind, (unit, factor) in _OF_KIND.items():
        for row in lists[kind]["models"]:
            facts = catalog.get(row["id"])
            precision = native_precision(facts).value
            yield CheckpointError(facts.model_id, kind, precision, from_shape(facts) / (row[unit] * factor) - 1)
