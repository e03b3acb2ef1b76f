"""The other direction on AMD hardware: whether the need of what a row serves goes into its device, and what became of it.

A need is what claims ask for, so one that fits must not be of a start that dies, nor of one whose verdict is that it fails.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.sizing.estimate import SizingRequest, estimate_model_size
from controller.sizing.refusal import refusal
from controller.sizing.verdict import Outcome
from tests.benchmarks.sizing.measures import Measured


@dataclass(frozen=True, slots=True)
class Needed:
    """A row, and whether its engine runs on its device and the need of one longest request is no more than that has."""

    row: Measured
    fits: bool


def needs(found: Sequence[Measured]) -> tuple[Needed, ...]:
    """The rows of AMD hardware without pipeline stages, which a need does not know."""
    return tuple(
        Needed(row, _fits(row))
        for row in found
        if row.start.settings.platform == "rocm" and row.start.pipeline_parallel == 1
    )


def contradicted(found: Sequence[Needed]) -> tuple[Needed, ...]:
    """Those that fit and failed, or are called failing."""
    return tuple(
        needed for needed in found if needed.fits and (needed.row.failed or needed.row.verdict.outcome is Outcome.FAILS)
    )


def _fits(row: Measured) -> bool:
    start = row.start
    if refusal(start) is not None:
        return False
    request = SizingRequest(
        start.facts.model_id, start.precision, start.max_model_len, 1, start.tensor_parallel, start.settings
    )
    return estimate_model_size(start.facts, request).total_bytes <= start.device_bytes
