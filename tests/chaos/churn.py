"""What people do to the cluster during a run of chaos. Pure: the same seed, the same deeds at the same times.

Workloads come, grow, shrink and go, of mixed priorities and by every entry; pods that did not opt in come and go;
claims are deleted; modes are changed by plans. So many are alive as fit in any modes the nodes may be in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final


class Verb(StrEnum):
    """What is done. The first make something, named by the deed, and have the same name as what they make."""

    DEPLOYMENT = "deployment"
    SERVICE = "service"
    POD = "pod"
    BYSTANDER = "bystander"
    SCALE = "scale"
    DELETE = "delete"
    DELETE_CLAIM = "delete a claim"
    CHANGE_MODE = "change a mode"
    CANCEL = "cancel a change"


MADE: Final = (Verb.DEPLOYMENT, Verb.SERVICE, Verb.POD, Verb.BYSTANDER)
PRIORITIES: Final[Mapping[str, int]] = {"chaos-low": 10, "chaos-high": 1000}
MODES: Final = ("SPX/NPS1", "DPX/NPS1", "QPX/NPS1", "CPX/NPS1", "CPX/NPS4")
MOST_REPLICAS: Final = 2
MOST_BYSTANDERS: Final = 4
_WEIGHTS: Final[Mapping[Verb, float]] = {
    Verb.DEPLOYMENT: 2.0,
    Verb.SERVICE: 2.0,
    Verb.POD: 0.4,  # a plan waits for one: nobody would bring it back, so no eviction follows
    Verb.BYSTANDER: 2.0,
    Verb.SCALE: 2.0,
    Verb.DELETE: 3.0,
    Verb.DELETE_CLAIM: 1.0,
    Verb.CHANGE_MODE: 2.0,
    Verb.CANCEL: 0.7,
}


@dataclass(frozen=True, slots=True)
class Deed:
    """One deed. `at`: seconds after the beginning. `number`: replicas, or which one of those that are there by then.

    `made`: by which verb the thing of that name came. `priority`: a PriorityClass, "" for none. `mode`: the one asked
    for, or changed to; "" for any.
    """

    at: float
    verb: Verb
    name: str
    number: int = 1
    made: Verb | None = None
    priority: str = ""
    mode: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """`seconds`: how long deeds go on; `gap_seconds`: between two, on average. `pods`: the most that ask for a
    partition at once."""

    seconds: float
    gap_seconds: float = 1.5
    pods: int = 8


def churn(seed: int, settings: Settings) -> tuple[Deed, ...]:
    """The deeds, in their order."""
    rng, at, alive, found = Random(f"churn {seed}"), 0.0, _Alive(settings.pods), list[Deed]()
    while True:
        at += rng.uniform(0.2, 1.8) * settings.gap_seconds
        if at >= settings.seconds:
            return tuple(found)
        verb = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        deed = alive.next(rng, round(at, 2), verb)
        if deed is not None:
            found.append(deed)


class _Alive:
    """What should be there: name -> (verb that made it, replicas)."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._made = 0
        self._last_plan = ""
        self._things: dict[str, tuple[Verb, int]] = {}

    def next(self, rng: Random, at: float, verb: Verb) -> Deed | None:
        """The deed of that verb; None where there is nothing to do it to, or no room."""
        if verb in MADE:
            return self._make(rng, at, verb)
        if verb is Verb.SCALE:
            return self._scale(rng, at)
        if verb is Verb.DELETE:
            return self._delete(rng, at)
        if verb is Verb.DELETE_CLAIM:
            return Deed(at, verb, "", rng.randrange(1000))
        if verb is Verb.CANCEL:
            return Deed(at, verb, self._last_plan) if self._last_plan else None
        self._made += 1
        self._last_plan = f"plan-{self._made}"
        return Deed(at, verb, self._last_plan, rng.randrange(1000), mode=rng.choice(MODES))

    @property
    def _pods(self) -> int:
        return sum(replicas for verb, replicas in self._things.values() if verb is not Verb.BYSTANDER)

    def _make(self, rng: Random, at: float, verb: Verb) -> Deed | None:
        room = self._most - self._pods
        replicas = rng.randint(1, MOST_REPLICAS) if verb in (Verb.DEPLOYMENT, Verb.SERVICE) else 1
        bystanders = sum(made is Verb.BYSTANDER for made, _ in self._things.values())
        if (verb is Verb.BYSTANDER and bystanders >= MOST_BYSTANDERS) or (
            verb is not Verb.BYSTANDER and replicas > room
        ):
            return None
        self._made += 1
        name = f"{verb}-{self._made}"
        self._things[name] = verb, replicas
        return Deed(at, verb, name, replicas, priority=rng.choice(["", *PRIORITIES]))

    def _scale(self, rng: Random, at: float) -> Deed | None:
        names = [name for name, (made, _) in self._things.items() if made in (Verb.DEPLOYMENT, Verb.SERVICE)]
        if not names:
            return None
        name = rng.choice(names)
        made, before = self._things[name]
        replicas = rng.randint(0, MOST_REPLICAS)
        if replicas - before > self._most - self._pods:
            return None
        self._things[name] = made, replicas
        return Deed(at, Verb.SCALE, name, replicas, made)

    def _delete(self, rng: Random, at: float) -> Deed | None:
        if not self._things:
            return None
        name = rng.choice(list(self._things))
        made, _ = self._things.pop(name)
        return Deed(at, Verb.DELETE, name, made=made)
