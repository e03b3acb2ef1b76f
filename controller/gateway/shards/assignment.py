"""Which replica is to have which shard: balanced, and with as few moves as that takes. Pure.

Every replica computes this from what it has seen, so two may differ for a moment. That costs time and no safety: who
may dispatch is decided by the shard's Lease alone.
"""

from collections.abc import Collection, Mapping
from hashlib import sha256

from controller.gateway.shards.partitions import SHARDS


def assign(members: Collection[str], holders: Mapping[int, str], occupied: Collection[int]) -> dict[int, str]:
    """The replica of each shard; {} when there are no `members`.

    `holders` has those shards that somebody holds; one who is no member does not count. Shards with partitions
    (`occupied`) are spread first, then the others, each kind to within one of even, and both together too.
    """
    if not members:
        return {}
    assigned: dict[int, str] = {}
    totals = dict.fromkeys(sorted(members), 0)
    with_work = sorted(shard for shard in range(SHARDS) if shard in set(occupied))
    for shards in (with_work, [shard for shard in range(SHARDS) if shard not in set(occupied)]):
        spread = _spread(shards, totals, holders)
        assigned.update(spread)
        for member in spread.values():
            totals[member] += 1
    return assigned


def _spread(shards: list[int], totals: Mapping[str, int], holders: Mapping[int, str]) -> dict[int, str]:
    held: dict[str, list[int]] = {member: [] for member in totals}
    for shard in shards:
        holder = holders.get(shard)
        if holder in held:
            held[holder].append(shard)
    quotas = _quotas(len(shards), totals, {member: len(kept) for member, kept in held.items()})
    spread: dict[int, str] = {}
    left = dict(quotas)
    for member, present in held.items():
        kept = sorted(present, key=lambda shard, member=member: _score(member, shard))[: quotas[member]]  # type: ignore[misc]
        spread.update(dict.fromkeys(kept, member))
        left[member] -= len(kept)
    for shard in shards:
        if shard not in spread:
            # Ties by a hash of both, so that no replica is everybody's first choice.
            member = max(left, key=lambda member, shard=shard: (left[member], _score(member, shard)))  # type: ignore[misc]
            spread[shard] = member
            left[member] -= 1
    return spread


def _quotas(count: int, totals: Mapping[str, int], held: Mapping[str, int]) -> dict[str, int]:
    """How many of `count` shards each member has: as even as can be; the odd ones go where fewest have to move."""
    even, odd = divmod(count, len(totals))
    # Who has least of the first kind comes first: both kinds together must be even too.
    favoured = sorted(totals, key=lambda member: (totals[member], -held[member], _score(member, count)))[:odd]
    return {member: even + (member in favoured) for member in totals}


def _score(member: str, shard: int) -> bytes:
    return sha256(f"{member}/{shard}".encode()).digest()
