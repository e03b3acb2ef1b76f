"""A shard's Lease: besides who has it, whose requests may still run at its engines.

The annotation `aim.amd.com/in-flight` bounds them from above at all times but for what the present holder sends:
it is written in the same request by which the shard is given back or taken from one that was lost, and so cannot be
older than the holder.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from controller.gateway.shards.lease_view import GROUP_LABEL
from controller.gateway.shards.residents import Left
from controller.runtime.client.client import Client
from controller.runtime.election.lease import LeaseRecord
from controller.runtime.election.lease_object import ApiLease

IN_FLIGHT: Final = "aim.amd.com/in-flight"
UNKNOWN: Final[Left] = {"": None}
"""Nothing is known, not even of whom: somebody wrote something else into the Lease."""


@dataclass(frozen=True, slots=True)
class Got:
    """How a shard was got. `left`: whose requests may be there. `handed_over`: it had been given back, maybe a moment
    ago; else its holder was lost, or nobody ever had it. `kept`: nobody else had it since we did."""

    left: Left
    handed_over: bool = False
    kept: bool = False


class ShardLease(ApiLease):
    """The Lease `name` for the replica `own`; `leaving` says what is in flight when the shard is given back."""

    def __init__(
        self, client: Client, namespace: str, name: str, *, group: str, own: str, leaving: Callable[[], Left]
    ) -> None:
        super().__init__(client, namespace, name, labels={GROUP_LABEL: group})
        self._own = own
        self._leaving = leaving
        self._annotation = ""
        self._tried: Got | None = None

    def take_got(self) -> Got:
        """How the shard was got that we lead now; once for each time."""
        # A try whose answer was lost may have got it, and all that followed was a renewal of our own.
        got, self._tried = self._tried, None
        return got or Got({}, kept=True)

    async def create(self, record: LeaseRecord) -> str:
        """See LeaseObject."""
        # Nobody had it before; one that a person deletes under its holder makes two of them anyway (`candidacy`).
        self._annotation = _encode({})
        self._tried = Got({})
        return await super().create(record)

    async def replace(self, record: LeaseRecord, version: str) -> str:
        """See LeaseObject."""
        before = LeaseRecord.of(self._last.get("spec") or {}).holder_identity
        left = decode((self._last["metadata"].get("annotations") or {}).get(IN_FLIGHT))
        if not record.holder_identity:
            left = self._leaving()
        elif before != self._own:
            left = {**left, before: None} if before else left
            self._tried = Got(left, handed_over=not before)
        self._annotation = _encode(left)
        return await super().replace(record, version)

    def annotations(self) -> Mapping[str, str]:
        """See ApiLease."""
        return {IN_FLIGHT: self._annotation}


def decode(text: str | None) -> Left:
    """What the annotation says; UNKNOWN for anything that we did not write."""
    try:
        found = orjson.loads(text or "")
    except orjson.JSONDecodeError:
        return UNKNOWN
    if not isinstance(found, dict) or not all(counts is None or _is_counts(counts) for counts in found.values()):
        return UNKNOWN
    return found


def _is_counts(counts: object) -> bool:
    return isinstance(counts, dict) and all(type(count) is int and count >= 0 for count in counts.values())


def _encode(left: Left) -> str:
    return orjson.dumps(left, option=orjson.OPT_SORT_KEYS).decode()
