"""What the exporter tells: requests of services that no gateway tells of, KV caches of all, and its own readings."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from controller.exporter.engines.figures import Edges
from controller.exporter.engines.reading import Reading
from controller.exporter.engines.totals import ServiceKey, Totals
from controller.exporter.engines.vocabulary import Measure
from controller.exporter.engines.watching import Watching
from controller.runtime.clock import Clock
from controller.runtime.instrument import Instrument
from controller.telemetry.bounds import merged_histograms, service_labels, summed
from controller.telemetry.families import HistogramRow, HistogramRows, Labels
from controller.telemetry.instruments import (
    ENGINE_SCRAPES,
    ENGINES_WATCHED,
    MODEL_KV_CACHE,
    MODEL_QUEUE_WAIT,
    MODEL_QUEUED,
    MODEL_REQUEST_LATENCY,
    MODEL_REQUESTS,
    MODEL_TIME_PER_TOKEN,
    MODEL_TIME_TO_FIRST_BYTE,
    MODEL_TOKENS,
)
from controller.telemetry.metrics import Metrics

ANY_CLASS: Final = ""
"""An engine knows no classes of requests. So the label `priority` is empty, which also tells an engine's series from a
gateway's."""
NO_REASON: Final = ""
SUCCESS: Final = "success"

_HISTOGRAMS: Final[Mapping[Measure, tuple[Instrument, Labels]]] = MappingProxyType(
    {
        Measure.LATENCY: (MODEL_REQUEST_LATENCY, (ANY_CLASS, SUCCESS)),
        Measure.TO_FIRST: (MODEL_TIME_TO_FIRST_BYTE, (ANY_CLASS,)),
        Measure.BETWEEN: (MODEL_TIME_PER_TOKEN, (ANY_CLASS,)),
        Measure.QUEUE_WAIT: (MODEL_QUEUE_WAIT, (ANY_CLASS,)),
    }
)

EDGES: Final[Edges] = MappingProxyType({measure: of.buckets for measure, (of, _) in _HISTOGRAMS.items()})
"""The buckets in which all services are told, the gateway's too."""


class ServiceMetrics:
    """Registers every family of the exporter with `metrics`."""

    def __init__(self, metrics: Metrics, totals: Totals, watching: Watching, reading: Reading, clock: Clock) -> None:
        self._totals, self._watching, self._clock = totals, watching, clock
        self._shown: Callable[[str], Labels] = service_labels({})
        metrics.before_collection(self._look)
        metrics.observe(MODEL_REQUESTS, self._requests)
        metrics.observe(MODEL_TOKENS, self._tokens)
        metrics.observe(MODEL_QUEUED, self._queued)
        metrics.observe(MODEL_KV_CACHE, self._filled)
        for measure, (instrument, labels) in _HISTOGRAMS.items():
            metrics.observe_histograms(instrument, self._histograms(measure, labels))
        metrics.observe(ENGINE_SCRAPES, lambda: [((result,), count) for result, count in reading.results.items()])
        metrics.observe(ENGINES_WATCHED, lambda: [((), reading.engines)])

    async def _look(self) -> None:
        """Which services there are: others end, and so do those that a gateway tells of by now."""
        present = self._watching.services()
        self._totals.keep(present, self._clock.monotonic())
        for service, ours in present.items():
            if self._watching.told_by_gateway(ours=ours):
                self._totals.end(service)
        known = present.keys() | self._totals.services.keys()
        self._shown = service_labels({f"{one.namespace}/{one.service}": one.model for one in sorted(known)})

    def _labels(self, service: ServiceKey) -> Labels:
        """Of several models that pods of one service name, as while it is changed over, each has series of its own."""
        shown = self._shown(f"{service.namespace}/{service.service}")
        return service if shown[:2] == service[:2] else shown

    def _requests(self) -> Iterable[tuple[Labels, float]]:
        return summed(
            ((*self._labels(service), ANY_CLASS, status, NO_REASON), float(count))
            for service, totals in self._totals.services.items()
            for status, count in totals.requests.items()
        )

    def _tokens(self) -> Iterable[tuple[Labels, float]]:
        return summed(
            ((*self._labels(service), ANY_CLASS, direction), float(count))
            for service, totals in self._totals.services.items()
            for direction, count in totals.tokens.items()
        )

    def _histograms(self, measure: Measure, labels: Labels) -> HistogramRows:
        def rows() -> Iterator[tuple[Labels, HistogramRow]]:
            for service, totals in self._totals.services.items():
                if measure in totals.histograms:
                    yield (*self._labels(service), *labels), totals.histograms[measure]

        return lambda: merged_histograms(rows())

    def _queued(self) -> Iterable[tuple[Labels, float]]:
        waiting: dict[Labels, float] = {}
        for service, figures in self._totals.now():
            if figures.waiting is not None and service in self._totals.services:
                labels = (*self._labels(service), ANY_CLASS)
                waiting[labels] = waiting.get(labels, 0.0) + figures.waiting
        return waiting.items()

    def _filled(self) -> Iterable[tuple[Labels, float]]:
        fullest: dict[Labels, float] = {}
        for service, figures in self._totals.now():
            if figures.filled is not None:
                labels = self._labels(service)
                fullest[labels] = max(fullest.get(labels, 0.0), figures.filled)
        return fullest.items()
