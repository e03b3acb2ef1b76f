"""Gangs: pods that are of use only together get their places all at once, or none of them does. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

from controller.placement.decision import Decision, Placed, Unplaced
from controller.placement.demand import Demand
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Snapshot

#: How long a gang's pods may be on their way before the explanation asks where they are, seconds: controllers make
#: pods by the dozen a second.
GATHER_SECONDS: Final = 60.0

DOES_NOT_FIT: Final = "GangDoesNotFit"
"""Reason of a gang of which all are there, and not all have a place."""

GangKey: TypeAlias = tuple[str, str]
"""Namespace and name of a gang."""


@dataclass(frozen=True, slots=True)
class Gang:
    """Members of one gang that wait, in the order of their turns, and how many others have a place already."""

    name: str
    members: tuple[Demand, ...]
    placed: int = 0

    @property
    def sizes(self) -> frozenset[int]:
        """The sizes that its members name: one, unless somebody wrote two."""
        return frozenset(each.gang_size for each in self.members)

    @property
    def present(self) -> int:
        """Members that are there."""
        return len(self.members) + self.placed


def gang_of(demand: Demand) -> GangKey | None:
    """The gang that the demand belongs to, None when it stands alone."""
    return (demand.namespace, demand.gang) if demand.gang else None


def with_members(chosen: Iterable[Demand], waiting: Iterable[Demand]) -> list[Demand]:
    """The chosen demands, and those that wait and are of a gang of theirs: a gang is decided as a whole."""
    found = {each.key: each for each in chosen}
    gangs = {gang_of(each) for each in found.values()} - {None}
    for each in waiting if gangs else ():
        if gang_of(each) in gangs:
            found.setdefault(each.key, each)
    return list(found.values())


def units(ordered: Iterable[Demand]) -> list[tuple[Demand, ...]]:
    """Demands to be decided one after the other: a gang's together, when the first of them has its turn."""
    found: dict[object, list[Demand]] = {}
    for each in ordered:
        found.setdefault(gang_of(each) or each.key, []).append(each)
    return [tuple(members) for members in found.values()]


def place_gang(
    snapshot: Snapshot, gang: Gang, scheduler: ModelScheduler, now_seconds: float
) -> list[tuple[Demand, Decision]]:
    """A place for every member, or for none and why. Changes nothing: what was tried is taken back.

    `now_seconds`: since the epoch.
    """
    incomplete = _incomplete(gang, now_seconds)
    if incomplete is not None:
        return [(each, incomplete) for each in gang.members]
    undo: list[Callable[[], None]] = []
    found: list[tuple[Demand, Decision]] = []
    try:
        for member in gang.members:
            decision = scheduler.schedule(snapshot, member)
            if not isinstance(decision, Placed):
                return _none(gang, member, decision, fitting=len(found))
            undo.append(
                snapshot.hold(decision.node, decision.partitions, member.key, member.pod.resources, member.peer)
            )
            found.append((member, decision))
    finally:
        for each in reversed(undo):
            each()
    return found


def _incomplete(gang: Gang, now_seconds: float) -> Unplaced | None:
    """Why there is nothing to decide yet: members are missing, or do not agree how many they are."""
    if len(gang.sizes) > 1:
        named = ", ".join(map(str, sorted(gang.sizes)))
        return Unplaced(
            "GangSizeMismatch",
            f"pods of gang {gang.name} name the sizes {named} in aim.amd.com/gang-size; write one and make them anew",
        )
    size = max(gang.sizes)
    missing = size - gang.present
    if missing <= 0:
        return None
    oldest = min(each.created_seconds for each in gang.members)
    there = f"gang {gang.name} has {gang.present} of {size} pods"
    if now_seconds - oldest < GATHER_SECONDS:
        return Unplaced("GangIncomplete", f"{there}; it waits for {missing} more")
    since = f"{datetime.fromtimestamp(oldest, UTC):%Y-%m-%dT%H:%MZ}"
    return Unplaced(
        "GangIncomplete",
        f"{there} since {since}: {missing} missing; see whether their controller makes them, or lower "
        "aim.amd.com/gang-size",
    )


def _none(gang: Gang, member: Demand, why: Unplaced, *, fitting: int) -> list[tuple[Demand, Decision]]:
    """No member is placed, for there is no place for one of them."""
    wanted = len(gang.members)
    message = f"gang {gang.name}: {fitting} of {wanted} pods that wait fit together, and all have to; {why.message}"
    refused = Unplaced(DOES_NOT_FIT, message, why.refusals)
    return [(each, refused if each is member else Unplaced(refused.reason, message)) for each in gang.members]


def overdue_release(bound_seconds: Sequence[float], now_seconds: float, limit: float) -> bool:
    """Whether a gang that is bound in part has waited for the rest for longer than `limit` seconds since the last."""
    return bool(bound_seconds) and now_seconds - max(bound_seconds) > limit
