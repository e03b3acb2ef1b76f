"""How well objectives are kept, as rows of gauges: what services' statuses say, for alerts."""

from collections.abc import Iterable, Iterator

from api.v1beta1 import InferenceService
from api.v1beta1.service_level import ObjectiveStatus

Row = tuple[float, dict[str, str]]


def budget_rows(services: Iterable[InferenceService]) -> list[Row]:
    """Share of each objective's error budget that is left, below 0 where more was used."""
    return [
        (float(one.budget_left) / 100, _labels(service, one))
        for service, one in _objectives(services)
        if one.budget_left is not None
    ]


def burn_rows(services: Iterable[InferenceService]) -> list[Row]:
    """How many times faster than allowed each objective's budget is used up, over each window with requests."""
    return [
        (float(window.burn), _labels(service, one) | {"window": window.window})
        for service, one in _objectives(services)
        for window in one.windows
    ]


def _objectives(services: Iterable[InferenceService]) -> Iterator[tuple[InferenceService, ObjectiveStatus]]:
    for service in services:
        for one in service.status.slo:
            yield service, one


def _labels(service: InferenceService, one: ObjectiveStatus) -> dict[str, str]:
    metadata = service.metadata
    return {
        "model": f"{metadata.namespace}/{metadata.name}",
        "metric": one.metric.value,
        "percentile": one.percentile.value,
        "threshold": one.threshold,
    }
