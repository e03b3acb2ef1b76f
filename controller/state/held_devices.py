"""The devices that ResourceClaims of every namespace have, by the pool they are in: kept up claim by claim."""

from collections import defaultdict
from collections.abc import Iterable

from controller.translate.resource_claim import ResourceClaimView


class HeldDevices:
    """By pool and device the claims that have it. A device held with adminAccess is held by nobody."""

    def __init__(self) -> None:
        self._by_claim: dict[str, frozenset[tuple[str, str]]] = {}
        self._by_pool: dict[str, dict[str, set[str]]] = defaultdict(dict)

    def update(self, key: str, claim: ResourceClaimView | None) -> frozenset[str]:
        """Take the claim `namespace/name` as it is now, None when it is gone; the pools in which that counts."""
        before = self._by_claim.pop(key, frozenset())
        after = _devices(claim) if claim is not None else frozenset()
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


def _devices(claim: ResourceClaimView) -> frozenset[tuple[str, str]]:
    held: Iterable[tuple[str, str]] = ((each.pool, each.device) for each in claim.devices if not each.admin)
    return frozenset(held)
