"""What was counted, kept in order: instruments for `SchedulerCounts`."""

from collections.abc import Mapping
from typing import cast

from opentelemetry.metrics import Counter

from controller.reconcilers.scheduler_counts import SchedulerCounts
from controller.runtime.instrument import Instrument


class Counted:
    """Makes counters that keep what they are given: `events` are (instrument, amount, label values)."""

    def __init__(self) -> None:
        self.events: list[tuple[Instrument, float, tuple[str, ...]]] = []

    def counter(self, instrument: Instrument) -> Counter:
        """One that keeps its events here."""
        return cast("Counter", _Kept(self, instrument))

    def counts(self) -> SchedulerCounts:
        """Counts that are kept here."""
        return SchedulerCounts(self)

    def of(self, instrument: Instrument) -> list[tuple[str, ...]]:
        """The label values of what was counted, as often as it was; declared zeros are left out."""
        counted = ((int(amount), labels) for found, amount, labels in self.events if found is instrument)
        return [labels for amount, labels in counted for _ in range(amount)]


class _Kept:
    def __init__(self, counted: Counted, instrument: Instrument) -> None:
        self._counted, self._instrument = counted, instrument

    def add(self, amount: float, labels: Mapping[str, str]) -> None:
        values = tuple(labels[name] for name in self._instrument.labels)
        self._counted.events.append((self._instrument, amount, values))
