"""All metrics of a process, sent to a collector of OpenTelemetry over HTTP, beside what Prometheus comes for.

Off unless somebody names an endpoint. The exporter is an extra (`pip install 'aim-gpu-sharing[otlp]'`), imported only
when it is used. What is collected on the event loop is encoded and sent by a thread.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

import structlog
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from controller.telemetry.endpoint import not_installed, signal_url

PUSH_SECONDS: Final = 15.0
"""Between two pushes, as between two scrapes."""
LONGEST_SECONDS: Final = 240.0
"""Between two pushes to a collector that does not take them; nothing is lost, as figures are told since the start."""
JITTER: Final = 0.1
POINTS_A_REQUEST: Final = 2000
"""Histograms of so many make about a megabyte, of which collectors take twenty."""

_SIGNAL: Final = "metrics"


class OtlpPush:
    """Sends what `collect` gives to the collector at `endpoint`, again and again until `stop`, and then once more.

    `endpoint`: a URL ("http://collector:4318"; without a path /v1/metrics is asked). `interval` and `timeout` are
    seconds, of one request the latter. Raises OtlpError for an endpoint that is no URL, or without the exporter.
    """

    def __init__(
        self,
        collect: Callable[[], Awaitable[MetricsData]],
        endpoint: str,
        *,
        interval: float = PUSH_SECONDS,
        timeout: float = 5.0,
        rng: Random | None = None,
    ) -> None:
        self._collect, self._interval = collect, interval
        self._url = signal_url(endpoint, _SIGNAL)
        self._exporter = _exporter(self._url, timeout)
        self._rng = rng or Random()  # noqa: S311 - spreads load, guards nothing
        self._ending = asyncio.Event()
        self._log = structlog.get_logger(__name__)

    def __str__(self) -> str:
        return f"metrics to {self._url}"

    def stop(self) -> None:
        """Send once more, and end: also what came to be while one sending is under way, unless that one fails."""
        self._ending.set()

    async def run(self) -> None:
        """Send until `stop`. What cannot be sent is told once, and tried again later and later."""
        failures = 0
        last = False
        try:
            while not last:
                await self._rest(failures)
                last = self._ending.is_set()
                taken = await self._push()
                last = last or (self._ending.is_set() and not taken)
                if not taken and failures == 0:
                    self._log.warning("metrics not taken by the collector; Prometheus is told as before", url=self._url)
                if taken and failures:
                    self._log.info("metrics taken by the collector again", url=self._url)
                failures = 0 if taken else failures + 1
        finally:
            self._exporter.shutdown()  # ends its waiting for another try at once

    async def _rest(self, failures: int) -> None:
        seconds = min(self._interval * 2 ** min(failures, 10), max(LONGEST_SECONDS, self._interval))
        try:
            async with asyncio.timeout(seconds * self._rng.uniform(1 - JITTER, 1 + JITTER)):
                await self._ending.wait()
        except TimeoutError:
            return

    async def _push(self) -> bool:
        try:
            data = await self._collect()
            return await asyncio.to_thread(self._exporter.export, data) is MetricExportResult.SUCCESS
        except Exception:  # noqa: BLE001 - a worker's edge: the process does its work, whoever is told of it
            self._log.exception("metrics not sent")
            return False


def _exporter(url: str, timeout: float) -> MetricExporter:
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    except ImportError as error:
        raise not_installed(url) from error
    return OTLPMetricExporter(endpoint=url, timeout=timeout, max_export_batch_size=POINTS_A_REQUEST)
