"""How well objectives are kept, as rows of gauges: what a service's status says, for alerts."""

from api.v1beta1 import InferenceService
from api.v1beta1.service_level import ObjectiveStatus
from controller.telemetry.families import Labels


def budget_rows(service: InferenceService) -> list[tuple[Labels, float]]:
    """Share of each objective's error budget that is left, below 0 where more was used."""
    return [
        (_labels(service, one), float(one.budget_left) / 100)
        for one in service.status.slo
        if one.budget_left is not None
    ]


def burn_rows(service: InferenceService) -> list[tuple[Labels, float]]:
    """How many times faster than allowed each objective's budget is used up, over each window with requests."""
    return [
        ((*_labels(service, one), window.window), float(window.burn))
        for one in service.status.slo
        for window in one.windows
    ]


def slow_rows(service: InferenceService) -> list[tuple[Labels, float]]:
    """Requests beyond each objective's threshold, in each window with requests: what attainment leaves of them."""
    return [
        ((*_labels(service, one), window.window), float(round(window.requests * (1 - float(window.attainment) / 100))))
        for one in service.status.slo
        for window in one.windows
    ]


def _labels(service: InferenceService, one: ObjectiveStatus) -> Labels:
    metadata = service.metadata
    model = service.spec.model.id
    return metadata.namespace or "", metadata.name, model, one.metric.value, one.percentile.value, one.threshold
