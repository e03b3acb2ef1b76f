"""Which shard a partition belongs to: fixed, and the same in every replica of every version. Pure."""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from typing import Final

SHARDS: Final = 16
"""How many there are. Replicas of different numbers would dispatch one partition twice: it is no setting."""

_HASH_BYTES: Final = 8
_REMEMBERED: Final = 1 << 16


@lru_cache(maxsize=_REMEMBERED)
def shard_of(partition: str) -> int:
    """The shard of a partition's id, 0 to 15."""
    return int.from_bytes(sha256(partition.encode()).digest()[:_HASH_BYTES]) % SHARDS


def occupied_by(partitions: Iterable[str]) -> frozenset[int]:
    """The shards that have at least one of these partitions."""
    return frozenset(shard_of(partition) for partition in partitions)
