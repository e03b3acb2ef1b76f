"""The Lease as data: what stands in it, and how long it is good. Pure.

Durations are seconds, each measured by one process on its own monotonic clock; the timestamps in the record are for
people and are never compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

ACQUIRE_JITTER: Final = 1.2
"""How far apart the looks of standbys are: replicas that were started together must not ask together for ever."""
_SHORTEST_REQUEST_TIMEOUT: Final = 1.0


@dataclass(frozen=True, slots=True)
class LeaseTiming:
    """How long a lease is good, in seconds. Raises ValueError when one cannot work with the others.

    `duration`: how long others wait after the last change they saw; whole seconds. `renew_deadline`: how long a leader
    trusts its last renewal; the difference is the time in which requests already under way come to their end.
    `retry_period`: between two renewals. A standby looks a little more often, so that with the time of its requests it
    follows a dead leader within duration + retry_period.
    """

    duration: int = 15
    renew_deadline: float = 10.0
    retry_period: float = 2.0

    def __post_init__(self) -> None:
        if self.duration < 1 or self.duration % 1:
            raise ValueError(f"duration {self.duration} s: give whole seconds, 1 or more")
        if not self.duration > self.renew_deadline:
            raise ValueError(f"renew_deadline {self.renew_deadline} s: give less than duration, {self.duration} s")
        if not self.retry_period > 0:
            raise ValueError(f"retry_period {self.retry_period} s: give more than 0")
        least = self.retry_period * ACQUIRE_JITTER
        if not self.renew_deadline > least:
            raise ValueError(
                f"renew_deadline {self.renew_deadline} s: give more than retry_period {self.retry_period} s x "
                f"{ACQUIRE_JITTER} = {least:g} s, or there is no second try"
            )

    @property
    def request_timeout(self) -> float:
        """Seconds for one request: a hung one must leave time for another before the deadline."""
        return max(_SHORTEST_REQUEST_TIMEOUT, self.renew_deadline / 2)

    def acquire_wait(self, draw: float) -> float:
        """Seconds between two looks of a standby: retry_period less one to two jitters, by `draw` in [0, 1)."""
        return self.retry_period / (ACQUIRE_JITTER * (1 + draw * (ACQUIRE_JITTER - 1)))


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """What the Lease says. `holder_identity` "": nobody. Times are RFC 3339 as on the wire, never compared."""

    holder_identity: str = ""
    lease_duration_seconds: int = 0
    acquire_time: str = ""
    renew_time: str = ""
    lease_transitions: int = 0

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> "LeaseRecord":
        """The record in a Lease's `spec`; what is missing or null is empty."""
        return cls(
            holder_identity=spec.get("holderIdentity") or "",
            lease_duration_seconds=spec.get("leaseDurationSeconds") or 0,
            acquire_time=spec.get("acquireTime") or "",
            renew_time=spec.get("renewTime") or "",
            lease_transitions=spec.get("leaseTransitions") or 0,
        )

    def spec(self) -> dict[str, Any]:
        """The fields of a Lease's `spec`."""
        return {
            "holderIdentity": self.holder_identity,
            "leaseDurationSeconds": self.lease_duration_seconds,
            "acquireTime": self.acquire_time,
            "renewTime": self.renew_time,
            "leaseTransitions": self.lease_transitions,
        }


def micro_time(wall: datetime) -> str:
    """`wall` (aware) as Kubernetes' MicroTime."""
    return wall.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
