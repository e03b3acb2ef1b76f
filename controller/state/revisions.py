"""Revisions of pod templates: of two that have pods the newer one is that whose first pod came later.

Pods of the older one are made anew all the time, after an eviction say, so the age of a single pod tells nothing. What
a ReplicaSet says of its revision would have to be read for each.
"""

from dataclasses import dataclass

from controller.translate.pod import PodView


@dataclass(slots=True)
class _Revision:
    since: float
    pods: int


class Revisions:
    """By family and revision, when its first pod came; kept for as long as it has pods."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], _Revision] = {}

    def remember(self, pod: PodView) -> None:
        """A pod is there."""
        if not pod.family:
            return
        known = self._known.setdefault((pod.family, pod.template_hash), _Revision(pod.created_seconds, 0))
        known.pods += 1
        known.since = min(known.since, pod.created_seconds)

    def forget(self, pod: PodView) -> None:
        """A pod that was there is gone, or is about to be remembered anew."""
        known = self._known.get((pod.family, pod.template_hash))
        if known is not None:
            known.pods -= 1
            if known.pods == 0:
                del self._known[pod.family, pod.template_hash]

    def since(self, pod: PodView) -> float:
        """When the first pod of its revision came, seconds since the epoch; 0 for a pod without a family."""
        known = self._known.get((pod.family, pod.template_hash))
        return known.since if known is not None else 0.0
