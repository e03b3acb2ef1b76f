"""Where a server's certificate comes from: the latest one, who wants to know of a new one, and what is wrong."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog
from opentelemetry.metrics import Meter, NoOpMeter

from controller.runtime.certs.authority import ServingCertificate
from controller.runtime.certs.validity import validity
from controller.runtime.clock import Clock, RealClock
from controller.runtime.instrumentation import counter_on
from controller.runtime.instruments import CERTIFICATE_READ_ERRORS, CERTIFICATE_READS

OnChange = Callable[[ServingCertificate], object]
"""Told of every new certificate, in the event loop. Must be quick; what it raises is logged and stops nobody."""


class CertificateSource:
    """The certificate of the moment. `name` is for logs; `meter` None: nothing is counted.

    A subclass finds certificates, and calls `_found` and `_failed`.
    """

    def __init__(self, name: str, *, clock: Clock | None = None, meter: Meter | None = None) -> None:
        self._name = name
        self._clock = clock or RealClock()
        self._certificate: ServingCertificate | None = None
        self._callbacks: list[OnChange] = []
        self._known = asyncio.Event()
        self._problem = "certificate: not read yet"
        meter = meter or NoOpMeter("runtime")
        self._reads = counter_on(meter, CERTIFICATE_READS)
        self._read_errors = counter_on(meter, CERTIFICATE_READ_ERRORS)
        for counter in (self._reads, self._read_errors):
            counter.add(0)  # told from the start, so that a rate can tell the first failure
        self._log = structlog.get_logger(__name__).bind(source=name)

    def __str__(self) -> str:
        return self._name

    @property
    def certificate(self) -> ServingCertificate | None:
        """The latest, None before the first."""
        return self._certificate

    def ending(self) -> datetime | None:
        """When it ends, UTC; None before the first."""
        return self._certificate.not_after if self._certificate is not None else None

    @property
    def ca_bundle(self) -> str:
        """Whom clients must trust, as `clientConfig.caBundle` wants it; "" before the first certificate."""
        return "" if self._certificate is None else self._certificate.ca_bundle

    async def look_now(self) -> None:
        """Look whether there is a later one, where that takes no longer than a request."""

    def on_change(self, callback: OnChange) -> None:
        """Tell `callback` of every certificate from now on, and of the present one at once."""
        self._callbacks.append(callback)
        if self._certificate is not None:
            self._tell(callback, self._certificate)

    def verdict(self) -> bool | str:
        """For readiness: True while there is a valid certificate, else why not."""
        if self._certificate is None:
            return self._problem
        return validity(self._certificate, self._clock.now())

    async def wait_started(self, timeout: float) -> None:
        """Wait for the first certificate, at most `timeout` seconds; raises TimeoutError with what is wrong."""
        try:
            async with asyncio.timeout(timeout):
                await self._known.wait()
        except TimeoutError as error:
            raise TimeoutError(self._problem) from error

    def _found(self, certificate: ServingCertificate) -> None:
        self._reads.add(1)
        self._problem = ""
        if certificate == self._certificate:
            return
        self._certificate = certificate
        self._known.set()
        self._log.info("certificate", not_after=str(certificate.not_after))
        for callback in tuple(self._callbacks):
            self._tell(callback, certificate)

    def _failed(self, problem: str) -> None:
        """The old certificate, if any, stays. Logged when it is another problem than the last time."""
        self._reads.add(1)
        self._read_errors.add(1)
        if problem != self._problem:
            self._log.warning("certificate not read", problem=problem)
        self._problem = problem

    def _tell(self, callback: OnChange, certificate: ServingCertificate) -> None:
        try:
            callback(certificate)
        except Exception:  # noqa: BLE001 - one callback must not keep the certificate from the others
            self._log.exception("certificate callback raised")
