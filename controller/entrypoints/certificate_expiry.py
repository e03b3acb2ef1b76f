"""When the certificates end that a process shows, as a metric: whoever renews them may have stopped."""

from collections.abc import Callable, Mapping
from datetime import datetime

from controller.telemetry.families import Labels
from controller.telemetry.instruments import CERTIFICATE_EXPIRY
from controller.telemetry.metrics import Metrics

Ending = Callable[[], datetime | None]
"""When the certificate of now ends; None while there is none."""


def observe_certificates(metrics: Metrics, endings: Mapping[str, Ending]) -> None:
    """Have `metrics` tell of each certificate by its name."""

    def rows() -> list[tuple[Labels, float]]:
        found = ((name, read()) for name, read in endings.items())
        return [((name,), ending.timestamp()) for name, ending in found if ending is not None]

    metrics.observe(CERTIFICATE_EXPIRY, rows)
