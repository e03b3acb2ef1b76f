"""The faults that must never be there, each counted by a pure function over lists of objects."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from e2e.run.world import (
    CLAIM_PREFIX,
    GROUP_PREFIX,
    Object,
    World,
    allocated_devices,
    by_key,
    held_partitions,
    key_of,
    status_of,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: `what` identifies it over time, so that it counts once however often it is seen."""

    what: str

    def __str__(self) -> str:
        return self.what


def double_allocations(world: World) -> set[Fault]:
    """A device in two ResourceClaims, an exclusive claim reserved twice, two GPUPartitionClaims on a partition, shares
    that are more than theirs.
    """
    return {
        *devices_given_twice(world.resource_claims),
        *claims_reserved_twice(world.resource_claims),
        *partitions_held_twice(world.claims),
        *shares_exceeded(world.claims),
    }


def devices_given_twice(resource_claims: Iterable[Object]) -> set[Fault]:
    """Devices that the allocations of two ResourceClaims name, one fault for each claim too many."""
    holders: dict[tuple[str, str], list[str]] = {}
    for claim in resource_claims:
        for device in allocated_devices(claim):
            holders.setdefault(device, []).append(key_of(claim))
    return {
        Fault(f"device {pool}/{device} is allocated to {first} and to {other}")
        for (pool, device), (first, *others) in ((key, sorted(names)) for key, names in holders.items())
        for other in others
    }


def claims_reserved_twice(resource_claims: Iterable[Object]) -> set[Fault]:
    """Our ResourceClaims that are one pod's each, reserved for two. A share group's is for all of its members."""
    faults = set()
    for claim in resource_claims:
        name = claim["metadata"]["name"]
        if not name.startswith(CLAIM_PREFIX) or name.startswith(GROUP_PREFIX):
            continue
        first, *others = sorted(user["name"] for user in status_of(claim).get("reservedFor") or ()) or [""]
        faults |= {Fault(f"claim {key_of(claim)} is reserved for {first} and for {other}") for other in others}
    return faults


def partitions_held_twice(claims: Iterable[Object]) -> set[Fault]:
    """Partitions that two GPUPartitionClaims hold. A share group has one claim, so members make no fault."""
    holders: dict[tuple[str, str, int], list[str]] = {}
    for claim in claims:
        for partition in held_partitions(claim):
            holders.setdefault(partition, []).append(key_of(claim))
    return {
        Fault(f"partition {node} {bdf}/{index} is held by {first} and by {other}")
        for (node, bdf, index), (first, *others) in ((key, sorted(names)) for key, names in holders.items())
        for other in others
    }


def shares_exceeded(claims: Iterable[Object]) -> set[Fault]:
    """Share groups whose members have more memory together than their partition."""
    faults = set()
    for claim in claims:
        shared = sum(share["bytes"] for share in status_of(claim).get("shares") or ())
        whole = sum(device["bytes"] for device in (status_of(claim).get("allocation") or {}).get("devices") or ())
        if held_partitions(claim) and shared > whole:
            faults.add(Fault(f"claim {key_of(claim)} has shares of {shared} bytes in a partition of {whole}"))
    return faults


def mismatches(world: World) -> set[Fault]:
    """GPUPartitionClaims whose allocation is another than their ResourceClaim's, by the scheduler's record.

    One that is Bound may wait for the scheduler; one that is Allocated may not. With the device plugin the kubelet's
    word stands for the scheduler's.
    """
    resource_claims = by_key(world.resource_claims)
    faults = set()
    for claim in world.claims:
        if not held_partitions(claim):
            continue
        status = status_of(claim)
        told = _names(status["allocation"])
        if status["allocation"].get("resource"):
            given = _names(status.get("observed") or {})
        else:
            given = sorted(allocated_devices(resource_claims.get(key_of(claim), {})))
        if given != told and (given or status["phase"] == "Allocated"):
            faults.add(Fault(f"claim {key_of(claim)} says {told}, the scheduler gave {given or 'nothing'}"))
    return faults


def _names(holder: Object) -> list[tuple[str, str]]:
    return sorted((device.get("pool"), device.get("device")) for device in holder.get("devices") or ())


def rebinds(world: World) -> int:
    """How often claims had to be bound anew."""
    return sum(status_of(claim).get("rebinds", 0) for claim in world.claims)


def repartitions(world: World) -> int:
    """Mode changes that succeeded."""
    phases = Counter(status_of(plan).get("phase") for plan in world.plans)
    return phases["Succeeded"]
