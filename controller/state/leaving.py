"""Pods that leave for claims: those that were asked to, until a watch shows that they have gone.

No watch shows at once that a pod goes, and when the answer to its eviction was lost nobody knows whether it does. Such
a pod counts as one that goes, and is asked again.
"""

from collections.abc import Set
from dataclasses import dataclass
from typing import Final

from controller.runtime.cache.store import StoreEvent
from controller.runtime.clock import Clock
from controller.runtime.objects.pod import Pod
from controller.state.nominations import Nominations
from controller.state.pods import PodTable
from controller.translate.pod import PodView

#: So long an eviction without an answer counts when no claim has its place kept any more, seconds: kube-apiserver ends
#: a request after --request-timeout, 1 min by default, and a watch shows what became of it.
DOUBT_SECONDS: Final = 60.0


@dataclass(slots=True)
class _Asked:
    """An eviction. `doubted_at`: when its answer was lost, by the monotonic clock, seconds; None while none is."""

    pod: str
    doubted_at: float | None = None


class Leaving:
    """What this life of the operator asked, and what nominations and the watch of pods tell of earlier ones."""

    def __init__(self, pods: PodTable, nominations: Nominations, clock: Clock) -> None:
        self._pods = pods
        self._nominations = nominations
        self._clock = clock
        self._asked: dict[str, _Asked] = {}

    def take(self, event: StoreEvent[Pod]) -> None:
        """Apply one informer event, behind the table of pods: who has gone leaves no more, who goes is in no doubt."""
        view = self._pods.view(event.key)
        for uid, asked in [(uid, asked) for uid, asked in self._asked.items() if asked.pod == event.key]:
            if view is None or view.uid != uid or view.terminal:
                del self._asked[uid]
            elif view.deleting:
                asked.doubted_at = None

    def ask(self, pod: PodView) -> None:
        """It is about to be asked, and counts from now on."""
        self._asked[pod.uid] = _Asked(f"{pod.namespace}/{pod.name}")

    def stays(self, uid: str) -> None:
        """It was refused, or there is no such pod."""
        self._asked.pop(uid, None)

    def doubt(self, uid: str) -> None:
        """Nobody answered: it may go, or not, unless a watch has shown it."""
        asked = self._asked.get(uid)
        view = self._pods.view(asked.pod) if asked is not None else None
        if asked is not None and not (view is not None and view.deleting):
            asked.doubted_at = self._clock.monotonic()

    def goes(self, uid: str) -> bool:
        """Whether it was asked, and nothing says that it has to be asked again."""
        asked = self._asked.get(uid)
        return asked is not None and asked.doubted_at is None

    def count(self, *, but: str = "") -> int:
        """How many pods leave for claims; `but` for the one of that uid."""
        victims = {uid: kept.node for kept in self._nominations if not kept.reserved for uid in kept.victims}
        self._forget(victims.keys())
        deleting = {uid for node in set(victims.values()) for uid in self._pods.deleting_on(node)}
        return len((self._asked.keys() | (deleting & victims.keys())) - {but})

    def _forget(self, victims: Set[str]) -> None:
        """The doubts that nobody settles by asking again."""
        over = self._clock.monotonic() - DOUBT_SECONDS
        for uid in [*self._asked]:
            doubted_at = self._asked[uid].doubted_at
            if doubted_at is not None and doubted_at <= over and uid not in victims:
                del self._asked[uid]
