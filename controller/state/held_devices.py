"""The devices that ResourceClaims of every namespace have, by the pool they are in: kept up claim by claim."""

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeAlias

from controller.translate.resource_claim import ResourceClaimView

Device: TypeAlias = tuple[str, str]
"""Its pool and its name."""


class HeldDevices:
    """By pool and device the claims that have it. A device held with adminAccess is held by nobody, only watched."""

    def __init__(self) -> None:
        self._by_claim: dict[str, frozenset[Device]] = {}
        self._by_pool: dict[str, dict[str, set[str]]] = defaultdict(dict)
        self._watched: dict[str, frozenset[Device]] = {}

    def update(self, key: str, claim: ResourceClaimView | None) -> frozenset[str]:
        """Take the claim `namespace/name` as it is now, None when it is gone; the pools in which that counts."""
        self._watch(key, _devices(claim, admin=True) if claim is not None else frozenset())
        before = self._by_claim.pop(key, frozenset())
        after = _devices(claim, admin=False) if claim is not None else frozenset()
        if after:
            self._by_claim[key] = after
        for pool, device in before - after:
            claims = self._by_pool[pool][device]
            claims.discard(key)
            if not claims:
                del self._by_pool[pool][device]
        for pool, device in after - before:
            self._by_pool[pool].setdefault(device, set()).add(key)
        return frozenset(pool for pool, _ in before ^ after)

    def pools(self, key: str) -> frozenset[str]:
        """The pools in which the claim has devices."""
        return frozenset(pool for pool, _ in self._by_claim.get(key, ()))

    def in_pool(self, pool: str) -> dict[str, str]:
        """By device, the claim that has it; of two, which the scheduler never lets be, the last by name."""
        return {device: max(claims) for device, claims in self._by_pool.get(pool, {}).items()}

    def of_others(self, key: str, devices: Iterable[Device]) -> frozenset[Device]:
        """Those of the devices that another claim than `key` has."""
        return frozenset(each for each in devices if self._by_pool.get(each[0], {}).get(each[1], set()) - {key})

    @property
    def watched(self) -> frozenset[Device]:
        """The devices that somebody has with adminAccess."""
        return frozenset().union(*self._watched.values())

    def _watch(self, key: str, devices: frozenset[Device]) -> None:
        self._watched.pop(key, None)
        if devices:
            self._watched[key] = devices


def _devices(claim: ResourceClaimView, *, admin: bool) -> frozenset[Device]:
    return frozenset((each.pool, each.device) for each in claim.devices if each.admin == admin)
