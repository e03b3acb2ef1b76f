"""InferenceServices as rows of gauges: conditions, replicas, objectives. Each service's are made when it changes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import add
from typing import Final, TypeAlias

from api.object import ConditionStatus
from api.v1beta1 import InferenceService
from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest
from controller.state.objective_gauges import budget_rows, burn_rows, limit_rows, slow_rows
from controller.state.table import Table
from controller.telemetry.bounds import MOST_SERVICES, OTHER
from controller.telemetry.families import Labels

Row: TypeAlias = tuple[Labels, float]

_VALUES: Final = {ConditionStatus.TRUE: 1.0, ConditionStatus.FALSE: 0.0}
"""Unknown is told by nothing."""


@dataclass(frozen=True, slots=True)
class _OfService:
    conditions: tuple[Row, ...]
    replicas: tuple[Row, ...]
    budgets: tuple[Row, ...]
    burns: tuple[Row, ...]
    limits: tuple[Row, ...]
    slow: tuple[Row, ...]


class ServiceGauges:
    """Follows the services. `take` goes behind the table that it reads. Those beyond `most` are told as ``other``."""

    def __init__(self, services: Table[Manifest, InferenceService], most: int = MOST_SERVICES) -> None:
        self._services = services
        self._most = most
        self._rows: dict[str, _OfService] = {}

    def take(self, event: StoreEvent[Manifest]) -> None:
        """Make the rows of the service as it is now."""
        service = self._services.get(event.key)
        if service is None:
            self._rows.pop(event.key, None)
        else:
            self._rows[event.key] = _of(service)

    def conditions(self) -> list[Row]:
        """1 of a condition that is True, 0 of one that is False; of ``other`` 0 where it is False of any of them."""
        return self._all(lambda each: each.conditions, min)

    def replicas(self) -> list[Row]:
        """Replicas that are wanted, and those that are ready."""
        return self._all(lambda each: each.replicas, add)

    def budgets(self) -> list[Row]:
        """What is left of error budgets; of ``other`` the least of equal objectives."""
        return self._all(lambda each: each.budgets, min)

    def burns(self) -> list[Row]:
        """How fast error budgets are used up; of ``other`` the fastest of equal objectives."""
        return self._all(lambda each: each.burns, max)

    def limits(self) -> list[Row]:
        """How fast error budgets may be used up; of ``other`` the least of equal objectives."""
        return self._all(lambda each: each.limits, min)

    def slow(self) -> list[Row]:
        """Requests beyond objectives' thresholds."""
        return self._all(lambda each: each.slow, add)

    def _all(self, part: Callable[[_OfService], Iterable[Row]], joined: Callable[[float, float], float]) -> list[Row]:
        keys = sorted(self._rows)
        rows = [row for key in keys[: self._most] for row in part(self._rows[key])]
        others: dict[Labels, float] = {}  # by the labels beside namespace, service and model
        for key in keys[self._most :]:
            for labels, value in part(self._rows[key]):
                of = labels[3:]
                others[of] = joined(others[of], value) if of in others else value
        return [*rows, *(((OTHER, OTHER, OTHER, *of), value) for of, value in others.items())]


def _of(service: InferenceService) -> _OfService:
    whose = service.metadata.namespace or "", service.metadata.name, service.spec.model.id
    status = service.status
    return _OfService(
        conditions=tuple(_conditions(service, whose)),
        replicas=(
            ((*whose, "wanted"), float(service.spec.replicas)),
            ((*whose, "ready"), float(status.ready_replicas)),
        ),
        budgets=tuple(budget_rows(service)),
        burns=tuple(burn_rows(service)),
        limits=tuple(limit_rows(service)),
        slow=tuple(slow_rows(service)),
    )


def _conditions(service: InferenceService, whose: tuple[str, str, str]) -> Iterator[Row]:
    for condition in service.status.conditions:
        value = _VALUES.get(condition.status)
        if value is not None:
            yield (*whose, condition.type), value
