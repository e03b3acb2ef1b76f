"""When certificates are made, renewed and dropped, so that no client ever meets one it does not trust. Pure.

    no authority -> MAKE_AUTHORITY -> ISSUE_LEAF          at the start, in one write
    leaf at 2/3 of its life -> ISSUE_LEAF                  by the same authority
    authority at 2/3 of its life -> ADD_AUTHORITY          the bundle holds both, the old one still signs
    two settle times later -> SWITCH_AUTHORITY             the new one signs; the old one stays in the bundle;
                                                           not before it was seen where clients are told whom to trust
    two settle times later -> DROP_RETIRED                 the bundle holds the new one alone

What is written reaches readers late: a replica looks each minute, a caBundle goes through another object and the API
server's own cache. `settle` is the longest such way. Each wait is two of them: one for our own write to be through
(its time is taken before it is sent), one for everybody to have read it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

#: Certificates begin so much before they are made: a verifier whose clock is a little behind must not refuse them.
CLOCK_SKEW = timedelta(minutes=5)
#: Of a certificate's life, after which it is renewed.
RENEW_AT = 2 / 3
_SETTLES = 2
_SETTLES_IN_LEAF = 12
_SETTLE = timedelta(hours=1)
# Certificates hold whole seconds: what they call 12:00:05 was made up to a second later.
_CUT_OFF = timedelta(seconds=1)


class Action(StrEnum):
    """One change of what is held."""

    MAKE_AUTHORITY = "make an authority"
    ISSUE_LEAF = "issue a leaf"
    ADD_AUTHORITY = "add an authority beside the old one"
    SWITCH_AUTHORITY = "sign with the new authority"
    DROP_RETIRED = "drop retired authorities"


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next, and a sentence that says why."""

    action: Action
    reason: str


@dataclass(frozen=True, slots=True)
class Term:
    """When a certificate was made, by itself and so cut to a second, and when it ends."""

    made: datetime
    not_after: datetime

    @property
    def renewal(self) -> datetime:
        """When two thirds of its life are over."""
        return self.made + (self.not_after - self.made) * RENEW_AT

    def valid(self, now: datetime) -> bool:
        """Whether it counts now. One that was made by a clock far ahead does not yet, and nobody can show it."""
        return self.made - CLOCK_SKEW <= now < self.not_after

    def known(self, policy: "RotationPolicy") -> datetime:
        """When it has reached everybody who has to know of it."""
        return self.made + _CUT_OFF + _SETTLES * policy.settle


@dataclass(frozen=True, slots=True)
class Held:
    """What there is: the authority whose leaf is shown (`can_sign`: with its key), the one that follows it, how many
    are only trusted any more, and the leaf. `leaf` is None also for one of other names or of another authority.

    `published`: the one that follows was seen, for a settle time, where clients are told whom to trust.
    """

    signer: Term | None = None
    can_sign: bool = False
    upcoming: Term | None = None
    published: bool = True
    retired: int = 0
    leaf: Term | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationPolicy:
    """How long things last. `settle`: the longest time until a written Secret is known to every client and server."""

    authority_lifetime: timedelta = timedelta(days=365)
    leaf_lifetime: timedelta = timedelta(days=30)
    settle: timedelta = _SETTLE

    @classmethod
    def lasting(cls, leaf: timedelta, authority: timedelta) -> "RotationPolicy":
        """A policy of these lifetimes. It settles within the default time, or a twelfth of a shorter leaf's life.

        Raises ValueError for lifetimes that are not positive, or an authority that does not last four leaves.
        """
        return cls(authority_lifetime=authority, leaf_lifetime=leaf, settle=min(_SETTLE, leaf // _SETTLES_IN_LEAF))

    def __post_init__(self) -> None:
        if self.settle <= timedelta(0):
            raise ValueError(f"settle {self.settle}: give a positive time")
        if self.leaf_lifetime / 3 < 4 * self.settle:
            raise ValueError(
                f"leaf_lifetime {self.leaf_lifetime}: give at least 12 settle times of {self.settle}, "
                "so that a renewed leaf is known long before the old one ends"
            )
        if self.authority_lifetime / 3 < self.leaf_lifetime + 4 * self.settle:
            raise ValueError(
                f"authority_lifetime {self.authority_lifetime}: give at least three leaf lifetimes of "
                f"{self.leaf_lifetime} and 12 settle times of {self.settle}, so that no leaf outlives its authority"
            )


def due(held: Held, now: datetime, policy: RotationPolicy) -> Step | None:
    """The next step, None when there is nothing to do. After each step ask again: one may follow at once."""
    for check in _CHECKS:
        step = check(held, now, policy)
        if step is not None:
            return step
    return None


def _without_authority(held: Held, now: datetime, _policy: RotationPolicy) -> Step | None:
    if held.signer is None:
        return Step(Action.MAKE_AUTHORITY, "there is no authority")
    if held.signer.valid(now):
        return None
    reason = f"the authority {_why_not(held.signer, now)}"
    if held.upcoming is not None and held.upcoming.valid(now):
        return Step(Action.SWITCH_AUTHORITY, f"{reason}; the new one is there")
    return Step(Action.MAKE_AUTHORITY, reason)


def _why_not(term: Term, now: datetime) -> str:
    if now < term.not_after:
        return f"was made at {term.made}, by a clock that is ahead of ours"
    return f"ended at {term.not_after}"


def _without_leaf(held: Held, now: datetime, _policy: RotationPolicy) -> Step | None:
    if held.leaf is not None and held.leaf.valid(now):
        return None
    reason = "there is no leaf that fits" if held.leaf is None else f"the leaf {_why_not(held.leaf, now)}"
    if held.can_sign:
        return Step(Action.ISSUE_LEAF, reason)
    reason += ", and the authority's key is missing"
    if held.upcoming is not None and held.upcoming.valid(now):
        return Step(Action.SWITCH_AUTHORITY, reason)
    return Step(Action.MAKE_AUTHORITY, reason)


def _settled_authority(held: Held, now: datetime, policy: RotationPolicy) -> Step | None:
    if held.upcoming is None or not held.published or now < held.upcoming.known(policy):
        return None
    return Step(Action.SWITCH_AUTHORITY, f"the new authority is published since {held.upcoming.made}")


def _ageing_authority(held: Held, now: datetime, _policy: RotationPolicy) -> Step | None:
    if held.upcoming is not None or held.signer is None:
        return None
    if not held.can_sign:
        return Step(Action.ADD_AUTHORITY, "the authority's key is missing")
    if now < held.signer.renewal:
        return None
    reason = f"two thirds of the authority's life are over; it ends at {held.signer.not_after}"
    return Step(Action.ADD_AUTHORITY, reason)


def _ageing_leaf(held: Held, now: datetime, _policy: RotationPolicy) -> Step | None:
    if held.leaf is None or not held.can_sign or now < held.leaf.renewal:
        return None
    return Step(Action.ISSUE_LEAF, f"two thirds of the leaf's life are over; it ends at {held.leaf.not_after}")


def _settled_switch(held: Held, now: datetime, policy: RotationPolicy) -> Step | None:
    # The leaf is at most as old as the switch, so waiting for it is waiting for the switch.
    if not held.retired or held.leaf is None or now < held.leaf.known(policy):
        return None
    return Step(Action.DROP_RETIRED, f"every leaf shown is the present authority's since {held.leaf.made}")


_Check = Callable[[Held, datetime, RotationPolicy], Step | None]
_CHECKS: tuple[_Check, ...] = (
    _without_authority,
    _without_leaf,
    _settled_authority,
    _ageing_authority,
    _ageing_leaf,
    _settled_switch,
)
