"""A ResourceQuota's refusal, read from the API server's words: there is nothing else that names the quota.

The admission plugin answers 403 with ``exceeded quota: NAME, requested: A=1, used: A=4, limited: A=4``; the lists have
the exceeded resources only, sorted, with commas between. One quota is named, also where several are used up.
"""

import re
from dataclasses import dataclass

from controller.runtime.client.errors import Forbidden

_WORDS = re.compile(
    r"exceeded quota: (?P<name>[^,\s]+), requested: (?P<asked>\S+), used: (?P<used>\S+), limited: (?P<limit>\S+)$"
)
_NOT_COUNTED = re.compile(r"status unknown for quota: (?P<name>[^,\s]+), resources: ")


@dataclass(frozen=True, slots=True)
class Exceeded:
    """One resource that a quota bounds, its amounts as Kubernetes writes quantities."""

    resource: str
    asked: str
    used: str
    limit: str

    @property
    def left(self) -> int | None:
        """What may still be had; None where an amount is no whole number (``1k``, ``500m``)."""
        if not (self.used.isascii() and self.limit.isascii() and self.used.isdigit() and self.limit.isdigit()):
            return None
        return max(0, int(self.limit) - int(self.used))  # a limit that was lowered may be below what is used


@dataclass(frozen=True, slots=True)
class QuotaRefusal:
    """The quota that refused; `exceeded` is empty while Kubernetes has not counted yet what the namespace has."""

    quota: str
    exceeded: tuple[Exceeded, ...]


def quota_refusal(error: Forbidden) -> QuotaRefusal | None:
    """What a quota refused; None where the error is not a quota's, or its words are not those that are known."""
    found = _WORDS.search(error.message)
    if found is None:
        uncounted = _NOT_COUNTED.search(error.message)
        return QuotaRefusal(uncounted["name"], ()) if uncounted is not None else None
    asked, used, limit = (_amounts(found[part]) for part in ("asked", "used", "limit"))
    if not asked or not asked.keys() == used.keys() == limit.keys():
        return None
    return QuotaRefusal(
        found["name"], tuple(Exceeded(name, asked[name], used[name], limit[name]) for name in sorted(asked))
    )


def _amounts(listed: str) -> dict[str, str]:
    return {name: amount for name, _, amount in (each.partition("=") for each in listed.split(","))}
