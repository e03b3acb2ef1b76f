"""How long claims take from their making to a partition: told once for each claim and stage, as the watch shows it.

What is made while we watch is timed by our own clock: API servers note creation to the second. Of claims that were
there before that note has to do, and of a stage that they had reached by then nothing is told.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import ClaimPhase
from controller.runtime.cache.store import StoreEvent
from controller.runtime.clock import Clock
from controller.runtime.manifest import Manifest
from controller.state.table import Table

STAGES: Final = ("bound", "allocated")
#: A claim that is first seen at a greater age, seconds, was made while nobody watched.
JUST_MADE_SECONDS: Final = 2.0
_REACHED: Final = {ClaimPhase.BOUND: STAGES[:1], ClaimPhase.ALLOCATED: STAGES}


@dataclass(slots=True)
class _Way:
    """A claim that has stages before it. `made_at`: monotonic seconds."""

    made_at: float
    left: tuple[str, ...]


class ClaimStages:
    """Follows the claims. `tell` is given a stage and the seconds to it; `take` goes behind the table that it reads."""

    def __init__(
        self, claims: Table[Manifest, GPUPartitionClaim], clock: Clock, tell: Callable[[str, float], None]
    ) -> None:
        self._claims = claims
        self._clock = clock
        self._tell = tell
        self._ways: dict[str, _Way] = {}

    def take(self, event: StoreEvent[Manifest]) -> None:
        """See how far the claim is now."""
        claim = self._claims.get(event.key)
        if claim is None:
            self._ways.pop(event.key, None)
            return
        reached = _REACHED.get(claim.status.phase, ())
        way = self._ways.get(event.key)
        if way is None:
            before = reached if event.initial else ()
            left = tuple(stage for stage in STAGES if stage not in before)
            way = self._ways[event.key] = _Way(self._made_at(claim), left)
        for stage in [stage for stage in way.left if stage in reached]:
            self._tell(stage, self._clock.monotonic() - way.made_at)
        way.left = tuple(stage for stage in way.left if stage not in reached)

    def _made_at(self, claim: GPUPartitionClaim) -> float:
        created = claim.metadata.creation_timestamp
        age = (self._clock.now() - created).total_seconds() if created is not None else 0.0
        return self._clock.monotonic() - (age if age > JUST_MADE_SECONDS else 0.0)
