"""Pods through their life as one watch shows it: how many came, are Ready, are gone, and how long each was held. Pure."""

from collections.abc import Mapping
from typing import Any

from controller.runtime.cache.store import StoreEvent
from e2e.run.checks import Fault, devices_given_twice
from e2e.run.latency import GateTimes
from e2e.run.shared_holdings import SharedHoldings
from e2e.run.world import allocated_devices, lives, ready

Object = Mapping[str, Any]


class Lives:
    """Fed with every event of pods and ResourceClaims, and with the moment (seconds) at which it came.

    `came` and `gone` only grow; `present` are those between; `serving` those of them that are Ready and not on their
    way out. `ready_milliseconds`: from a pod's ADDED until it was Ready. `faults`: devices that were given twice.
    """

    def __init__(self) -> None:
        self.came = self.gone = self.serving = 0
        self.gate_times = GateTimes()
        self.ready_milliseconds: list[float] = []
        self.faults: set[Fault] = set()
        self.resource_claims = 0
        self._since: dict[str, float] = {}
        self._devices = SharedHoldings(allocated_devices)

    @property
    def present(self) -> int:
        """Pods that are there."""
        return self.came - self.gone

    @property
    def moves(self) -> tuple[int, int, int, int]:
        """Differs whenever something has happened."""
        return self.came, self.gone, self.serving, len(self.gate_times.milliseconds)

    def take_pod(self, event: StoreEvent[Any], now: float) -> None:
        """One event of a pod."""
        old, new = event.old, event.new
        self.gate_times.take(old, new, now, initial=event.initial)
        served, serves = old is not None and _serves(old), new is not None and _serves(new)
        self.serving += serves - served
        if new is None:
            self.gone += 1
            self._since.pop(event.object["metadata"]["uid"], None)
            return
        uid = new["metadata"]["uid"]
        if old is None:
            self.came += 1
            self._since[uid] = now
        if serves and uid in self._since:
            self.ready_milliseconds.append((now - self._since.pop(uid)) * 1000)

    def take_resource_claim(self, event: StoreEvent[Any]) -> None:
        """One event of a ResourceClaim: the scheduler's own record of who has which device."""
        self.resource_claims += (event.new is not None) - (event.old is not None)
        self.faults |= devices_given_twice(self._devices.take(event.old, event.new))


def _serves(pod: Object) -> bool:
    return lives(pod) and ready(pod)
