"""Whether a gateway is there, which then tells of requests itself. Pure."""

from collections.abc import Iterable
from typing import Final

from controller.runtime.objects.endpoint_slice import EndpointSlice

REMEMBERED_SECONDS: Final = 300.0
"""A gateway that was ready so long ago is there still: one that is rolled out or crashes is back by then."""


class GatewayPresence:
    """Remembers when the gateway was ready last: `look` at its EndpointSlices now and then, more often than that."""

    def __init__(self) -> None:
        self._ready_at: float | None = None

    def look(self, slices: Iterable[EndpointSlice], now: float) -> bool:
        """Whether it is there, given the EndpointSlices of its Service. `now`: monotonic seconds."""
        if any(one.conditions.ready is not False for found in slices for one in found.endpoints):
            self._ready_at = now
        return self._ready_at is not None and now - self._ready_at <= REMEMBERED_SECONDS
