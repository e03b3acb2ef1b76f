"""The priorities of pods that take part: whether one could have to leave for another is asked at every turn."""

from collections import Counter

from controller.runtime.cache.store import StoreEvent
from controller.runtime.objects.pod import Pod
from controller.translate.pod import TERMINAL_PHASES, claim_name


class Priorities:
    """Follows the informer of pods, and counts those that have a claim of ours and have not ended."""

    def __init__(self) -> None:
        self._counted: Counter[int] = Counter()

    def take(self, event: StoreEvent[Pod]) -> None:
        """Apply one informer event."""
        for pod, sign in ((event.old, -1), (event.new, 1)):
            if pod is not None and claim_name(pod) is not None and pod.status.phase not in TERMINAL_PHASES:
                self._counted[pod.spec.priority] += sign
                if not self._counted[pod.spec.priority]:
                    del self._counted[pod.spec.priority]

    @property
    def lowest(self) -> int | None:
        """The lowest of them; None when there are none."""
        return min(self._counted, default=None)
