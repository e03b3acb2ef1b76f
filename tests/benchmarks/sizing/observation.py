"""Rows of a file of observations: one start of an engine each, as its README describes the columns.

An empty field means that the source did not say. A field that cannot be read makes its row unreadable, which is
reported; it never counts as empty.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from tests.benchmarks.controller.settings import SettingsError

FILE = Path(__file__).parents[2] / "data" / "engine-memory" / "observations.csv"

GIB = 2**30

SUCCEEDED = "ok"
FAILED = frozenset({"oom", "oom_after_kv", "refused", "no_kv"})

_NEEDED = frozenset({"model", "gpu", "engine", "outcome"})
"""Columns without which a file is no file of observations."""


class UnreadableRow(ValueError):
    """A field that is neither empty nor of its kind; the text names the column and the value."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One start. Strings are "" and numbers None where nothing was said; GiB are of one GPU, tokens of the engine."""

    obs_id: str
    model: str
    arch_class: str
    attention: str
    dtype: str
    quantization: str
    gpu: str
    gpu_vendor: str
    engine: str
    engine_version: str
    engine_gen: str
    kv_cache_dtype: str
    enforce_eager: str
    outcome: str
    source: str
    notes: str
    tensor_parallel: int | None
    pipeline_parallel: int | None
    max_model_len: int | None
    max_num_seqs: int | None
    max_num_batched_tokens: int | None
    gpu_memory_utilization: float | None
    gpu_total_gib: float | None
    weights_gib: float | None
    non_torch_gib: float | None
    activation_peak_gib: float | None
    cuda_graph_gib: float | None
    kv_cache_gib: float | None
    kv_tokens: int | None
    kv_bytes_per_token_observed: float | None
    kv_bytes_per_token_formula: float | None

    @property
    def label(self) -> str:
        """How to name the row."""
        return self.obs_id or f"{self.model} on {self.gpu}"

    @property
    def origin(self) -> str:
        """Who measured it: the repository, or the whole source where none is named."""
        if "not recorded" in self.source:
            return self.source
        return self.source.split(":")[0].split(",")[0].strip() or self.label

    @property
    def kind(self) -> str:
        """The class of architecture: what leaving one out leaves out."""
        attention = self.attention or "attention not said"
        return f"{self.arch_class or 'class not said'} {attention}"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that could not be read."""

    label: str
    reason: str


def read(path: Path) -> tuple[tuple[Observation, ...], tuple[Unreadable, ...]]:
    """All rows. Raises SettingsError for a file that is none of observations."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.DictReader(text.splitlines(), strict=True)
        table = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"DATA {str(path)!r}: {error}: give a CSV file of observations") from error
    if missing := _NEEDED - set(reader.fieldnames or ()):
        raise SettingsError(f"DATA {str(path)!r}: has no columns {sorted(missing)}: give a file of observations")
    if not table:
        raise SettingsError(f"DATA {str(path)!r}: has a header and no rows: give a file of observations")
    good, bad = [], []
    for number, row in enumerate(table, start=2):
        try:
            good.append(observation(row))
        except UnreadableRow as error:
            bad.append(Unreadable(row.get("obs_id") or f"line {number}", str(error)))
    return tuple(good), tuple(bad)


def observation(row: Mapping[str, str]) -> Observation:
    """One row. Raises UnreadableRow."""
    given: dict[str, object] = {}
    for name, kind in Observation.__annotations__.items():
        text = (row.get(name) or "").strip()
        given[name] = text if kind is str else _number(name, text, kind == int | None)
    return Observation(**given)  # type: ignore[arg-type]


def _number(name: str, text: str, whole: bool) -> int | float | None:
    if not text:
        return None
    try:
        value = float(text.replace(",", ""))
    except ValueError as error:
        raise UnreadableRow(f"{name} is {text!r}, not a number") from error
    if not isfinite(value):
        raise UnreadableRow(f"{name} is {text!r}, not a number")
    if whole and value != int(value):
        raise UnreadableRow(f"{name} is {text!r}, not a whole number")
    return int(value) if whole else value
