"""GPU memory of namespaces on the nodes of one policy: what is used, what is promised, and who borrows.

What counts are the bytes of partitions, whatever the models in them need: a partition that somebody has is gone for
everybody else. Everything is counted from claims that have a place, so equal claims give equal answers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

Account: TypeAlias = tuple[str, str]
"""A policy and a namespace, by name."""


@dataclass(frozen=True, slots=True)
class Quota:
    """The GPU memory of a namespace in bytes: `least` it can always have, `most` it never exceeds (None: no limit)."""

    least: int = 0
    most: int | None = None


NO_QUOTA: Final = Quota()
"""What holds for a namespace that the policy has no quota for: nothing is promised, nothing limited."""


class Ledger:
    """Bytes by account. Mutable, private to one snapshot: trial changes are added, and taken off with their undo."""

    __slots__ = ("_bytes",)

    def __init__(self, used: Mapping[Account, int]) -> None:
        self._bytes = dict(used)

    def used(self, account: Account) -> int:
        """Bytes of the partitions that the namespace has under the policy."""
        return self._bytes.get(account, 0)

    def add(self, account: Account, size: int) -> None:
        """Count `size` bytes more, or with a negative one less."""
        self._bytes[account] = self.used(account) + size

    def copy(self) -> "Ledger":
        """One with the same figures, on its own from here."""
        return Ledger(self._bytes)


class Placed(Protocol):
    """A claim that has a place, as far as quotas ask."""

    @property
    def key(self) -> str:
        """`namespace/name` of the claim."""

    @property
    def priority(self) -> int:
        """The pod's own."""

    @property
    def created_seconds(self) -> float:
        """When its pod was made, seconds since the epoch."""

    @property
    def bytes(self) -> int:
        """Memory of its partitions."""


def guaranteed(least: int, claims: Iterable[Placed]) -> frozenset[str]:
    """Keys of the claims of one namespace that its promised `least` bytes cover; the others are borrowed.

    Claims count in order of priority, age and key, and as wholes: one that is covered in part only is borrowed, for to
    give others what they are promised it may have to go. What the namespace may have by right it can ask for anew.
    """
    if least <= 0:
        return frozenset()
    covered, total = set(), 0
    for claim in sorted(claims, key=lambda each: (-each.priority, each.created_seconds, each.key)):
        total += claim.bytes
        if total > least:
            break
        covered.add(claim.key)
    return frozenset(covered)


def borrowed_bytes(least: int, claims: Iterable[Placed]) -> int:
    """Memory of those claims of one namespace that its promised `least` bytes do not cover."""
    known = list(claims)
    covered = guaranteed(least, known)
    return sum(claim.bytes for claim in known if claim.key not in covered)


def within_promise(quota: Quota, used: int, asked: int) -> bool:
    """Whether `asked` bytes more are what the namespace can always have, when it uses `used` already."""
    return used + asked <= quota.least
