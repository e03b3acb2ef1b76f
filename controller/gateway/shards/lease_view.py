"""What the Leases say, as this replica has seen them: who is there, where, and who has which shard. Pure.

A replica counts as there for as long after its Lease was last seen to change as that Lease promises, by our own clock.
The same holds for who has a shard, but only to know where to send: whether it may be taken is the candidacy's matter.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from controller.gateway.shards.partitions import SHARDS
from controller.runtime.election.lease import LeaseRecord

GROUP_LABEL: Final = "aim.amd.com/gateway-replicas"
"""On every Lease of ours: which gateway's replicas they are, for two gateways may share a namespace."""
ADDRESS: Final = "aim.amd.com/peer-address"
"""On a replica's Lease: where the others reach it, "host:port"."""
LEAVING: Final = "aim.amd.com/leaving"
"""On a replica's Lease, "true": it is still there, and is to be given no shard any more."""


@dataclass(frozen=True, slots=True)
class Member:
    """A replica: its identity, where others reach it, and whether it is about to go."""

    identity: str
    host: str
    port: int
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A Lease as it was seen last: its `record` at `version`, since `at` (monotonic)."""

    record: LeaseRecord
    version: str
    at: float
    address: str = ""
    leaving: bool = False

    @property
    def until(self) -> float:
        """Until when its holder may be taken to have it."""
        if not self.record.holder_identity:
            return -inf
        return self.at + self.record.lease_duration_seconds


class LeaseView:
    """The Leases of the replicas of `group`. Fed with objects from the API server and the time they were seen."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._seen: dict[str, Seen] = {}

    def see(self, lease: Mapping[str, Any], now: float) -> str:
        """A Lease of the group as it is now; its name. What has not changed keeps its time."""
        metadata = lease["metadata"]
        name, version = str(metadata["name"]), str(metadata["resourceVersion"])
        before = self._seen.get(name)
        if before is None or before.version != version:
            notes = metadata.get("annotations") or {}
            record = LeaseRecord.of(lease.get("spec") or {})
            self._seen[name] = Seen(record, version, now, notes.get(ADDRESS, ""), notes.get(LEAVING) == "true")
        return name

    def last(self, name: str) -> Seen | None:
        """The Lease as it was seen last; None: never, or it is gone."""
        return self._seen.get(name)

    def forget(self, name: str) -> None:
        """The Lease is gone."""
        self._seen.pop(name, None)

    def members(self, now: float) -> dict[str, Member]:
        """The replicas that are there, by identity; without those whose address cannot be read."""
        found = (_member(seen) for _, seen in self._replicas() if now < seen.until)
        return {member.identity: member for member in found if member is not None}

    def holders(self, now: float) -> dict[int, str]:
        """Who has each shard, of those that somebody has."""
        return {shard: one.record.holder_identity for shard, one in self._shards() if now < one.until}

    def last_holders(self) -> dict[int, str]:
        """Whose each shard was last, also where that has run out."""
        return {shard: one.record.holder_identity for shard, one in self._shards() if one.record.holder_identity}

    def shard(self, name: str) -> int | None:
        """The shard whose Lease has this name; None: it is a replica's."""
        prefix = f"{self._group}-shard-"
        return int(name.removeprefix(prefix)) if name.startswith(prefix) else None

    def free(self, name: str) -> bool:
        """Whether the Lease was given back."""
        seen = self._seen.get(name)
        return seen is not None and not seen.record.holder_identity

    def long_gone(self, now: float, times: float) -> list[tuple[str, str]]:
        """Name and resourceVersion of replicas' Leases that ended so many of their durations ago."""
        return [
            (name, seen.version)
            for name, seen in self._replicas()
            if now > seen.at + times * max(1, seen.record.lease_duration_seconds)
        ]

    def _shards(self) -> Iterator[tuple[int, Seen]]:
        for shard in range(SHARDS):
            seen = self._seen.get(shard_lease_name(self._group, shard))
            if seen is not None:
                yield shard, seen

    def _replicas(self) -> Iterator[tuple[str, Seen]]:
        prefix = f"{self._group}-replica-"
        return ((name, seen) for name, seen in self._seen.items() if name.startswith(prefix))


def shard_lease_name(group: str, shard: int) -> str:
    """The name of a shard's Lease."""
    return f"{group}-shard-{shard:02}"


def replica_lease_name(group: str, token: str) -> str:
    """The name of a replica's Lease; `token`: what no other replica has, and a name may hold."""
    return f"{group}-replica-{token}"


def _member(seen: Seen) -> Member | None:
    host, _, port = seen.address.rpartition(":")
    if not host or not port.isdecimal():
        return None
    return Member(seen.record.holder_identity, host.strip("[]"), int(port), seen.leaving)
