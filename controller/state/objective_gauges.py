"""How well objectives are kept, as rows of gauges: what a service's status says, for alerts."""

from typing import Final

from api.duration import format_duration
from api.v1beta1 import InferenceService
from api.v1beta1.service_level import ObjectiveStatus
from controller.qos.error_budget import TIERS, limit_of
from controller.telemetry.families import Labels

_TIERS: Final = {format_duration(tier.long_seconds): tier for tier in TIERS}


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


def limit_rows(service: InferenceService) -> list[tuple[Labels, float]]:
    """The burn above which each objective's budget is used up too fast, of the windows with requests that have one."""
    return [
        ((*_labels(service, one), window.window), limit_of(_TIERS[window.window], float(one.needed) / 100))
        for one in service.status.slo
        for window in one.windows
        if window.window in _TIERS
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
