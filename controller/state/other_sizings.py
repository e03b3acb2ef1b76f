"""A model sized otherwise than was asked: with one figure of its request lower, or on another number of partitions."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from controller.placement.changes.change import Kind
from controller.sizing.errors import SizingError
from controller.sizing.precision import Precision
from controller.sizing.requirement import Sizing, SizingRequest
from controller.state.models import Models

#: Nobody is advised to serve less than that many tokens.
LEAST_LENGTH: Final = 1024
_OTHERS: Final = (Precision.BF16, Precision.FP8, Precision.INT8, Precision.INT4, Precision.MXFP4)


@dataclass(frozen=True, slots=True)
class OtherSizing:
    """One way: `figure` of the request, by sizing's name, its new `value`, and what it then takes.

    `lost` is how much of what was asked for goes, in thousandths.
    """

    kind: Kind
    figure: str
    value: int | str
    lost: int
    sizing: Sizing


@dataclass(frozen=True, slots=True)
class Asked:
    """A model as it was asked for, sized: `request` says on how many partitions; `profile` names a ModelProfile."""

    request: SizingRequest
    profile: str | None
    sizing: Sizing


def other_sizings(models: Models, asked: Asked, most_partitions: int) -> Iterator[OtherSizing]:
    """Every way that the model has: halves, other precisions, and all numbers of partitions that it divides by."""
    yield from _halved(models, asked)
    yield from _precisions(models, asked)
    yield from _counts(models, asked, most_partitions)


def _halved(models: Models, asked: Asked) -> Iterator[OtherSizing]:
    now = asked.sizing
    for kind, figure, present, least in (
        (Kind.CONCURRENCY, "max_concurrency", now.max_concurrency, 1),
        (Kind.LENGTH, "max_model_len", now.max_model_len, LEAST_LENGTH),
    ):
        for value in _halves(present, least):
            sizing = _sized(models, asked, **{figure: value})
            if sizing is not None:
                yield OtherSizing(kind, figure, value, _lost(value, present), sizing)


def _precisions(models: Models, asked: Asked) -> Iterator[OtherSizing]:
    for precision in _OTHERS:
        sizing = _sized(models, asked, precision=precision) if precision is not asked.sizing.precision else None
        if sizing is not None:
            # one that takes more helps where no GPU serves the present one: nothing is lost then
            lost = max(0, _lost(sizing.weights_bytes, asked.sizing.weights_bytes))
            yield OtherSizing(Kind.PRECISION, "precision", precision.value, lost, sizing)


def _counts(models: Models, asked: Asked, most: int) -> Iterator[OtherSizing]:
    present = asked.request.tensor_parallel
    for count in models.counts(asked.request, most, asked.profile):
        sizing = _sized(models, asked, tensor_parallel=count) if count != present else None
        if sizing is not None:
            # one more takes as much again of the cluster, one less takes nothing from anybody
            lost = 1000 * (count - present) if count > present else present - count
            yield OtherSizing(Kind.COUNT, "tensor_parallel", count, lost, sizing)


def _sized(models: Models, asked: Asked, **fields: Any) -> Sizing | None:
    try:
        return models.size(replace(asked.request, **fields), asked.profile)
    except SizingError:
        return None  # the model has it not: no way


def _halves(present: int, least: int) -> Iterator[int]:
    value = present // 2
    while value >= least:
        yield value
        value //= 2


def _lost(value: int, before: int) -> int:
    """How much of `before` is gone, in thousandths."""
    return 1000 - 1000 * value // before if before else 0
