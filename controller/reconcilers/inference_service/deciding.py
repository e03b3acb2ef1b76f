"""What becomes of a service at one look: the revision that its spec wants, and the size that its objectives want.

What a person changed goes first: where both together find no place, the spec is rolled out in the present size.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from api.v1beta1 import GPUPartitionClaim, InferenceService
from controller.reconcilers.gpu_partition_claim.fitting import held_bytes
from controller.reconcilers.inference_service.resizing import (
    Resizing,
    Wanted,
    concluded,
    granted_bytes,
    recorded,
    sized_for,
)
from controller.reconcilers.inference_service.revision import hash_of
from controller.reconcilers.inference_service.status import Verdict
from controller.reconcilers.inference_service.updating import Offered, Step, Updating
from controller.runtime.clock import Clock
from controller.state.occupancy import HOLDING


@dataclass(frozen=True, slots=True)
class Decided:
    """`made_of` is the service as its pods are to be made, `resized` its condition Resized, None without any."""

    step: Step
    made_of: InferenceService
    resized: Verdict | None = None

    @property
    def look_after(self) -> float | None:
        """When to look again, seconds; None: at the next event."""
        return self.step.look_after


class Deciding:
    """Asks for the size, then for the way to it. `offer` tells what the backend is to have of a service, and has."""

    def __init__(
        self,
        updating: Updating,
        resizing: Resizing,
        clock: Clock,
        offer: Callable[[str, InferenceService], Offered],
    ) -> None:
        self._updating = updating
        self._resizing = resizing
        self._clock = clock
        self._offer = offer

    def forget(self, key: str) -> None:
        """The service is gone."""
        self._updating.forget(key)
        self._resizing.forget(key)

    def decide(
        self, key: str, service: InferenceService, needed: int | None, claims: Sequence[GPUPartitionClaim]
    ) -> Decided:
        """The step, which the caller writes before it acts. `needed` bytes by sizing, None where that is not known."""
        wanted, granted = self._resizing.wanted(key, service, needed, claims), granted_bytes(service)
        step, made_of = self._step(key, service, wanted.least_bytes, claims)
        if step.held and wanted.least_bytes != granted and not self._only_wished_for(key, service):
            step, made_of = self._step(key, service, granted, claims)
        return Decided(_looking_after(step, wanted), made_of, concluded(wanted, step, wanted.least_bytes))

    def _step(
        self, key: str, service: InferenceService, least: int, claims: Sequence[GPUPartitionClaim]
    ) -> tuple[Step, InferenceService]:
        made_of, granted = sized_for(service, least), granted_bytes(service)
        offered, applied = self._offer(key, made_of), service.status.applied
        wanted_hash = hash_of(offered.template)
        rolling = applied is not None and applied.resize is not None and applied.resize.hash == applied.hash
        if least != granted:
            offered = replace(
                offered, gently=self._only_wished_for(key, service), smaller_than=_smaller(least, granted, claims)
            )
        elif rolling and applied is not None and applied.hash == wanted_hash:
            offered = replace(offered, gently=True)
        step = self._updating.step(key, made_of, claims, offered)
        return recorded(step, service, wanted_hash, least, self._clock), made_of

    def _only_wished_for(self, key: str, service: InferenceService) -> bool:
        """Whether the spec is rolled out as it is, so that nothing changes but the size."""
        present = self._offer(key, sized_for(service, granted_bytes(service)))
        return service.status.applied is not None and service.status.applied.hash == hash_of(present.template)


def as_made(service: InferenceService, made_of: InferenceService) -> InferenceService:
    """The service as it is stored now, with the spec that its pods are to be made of."""
    return service.model_copy(update={"spec": made_of.spec})


def _smaller(least: int, granted: int, claims: Sequence[GPUPartitionClaim]) -> int:
    """What each new partition has to be smaller than where the pods go back: the smallest of those they hold."""
    held = [held_bytes(claim) for claim in claims if claim.status.phase in HOLDING]
    return min(held, default=0) if least < granted else 0


def _looking_after(step: Step, wanted: Wanted) -> Step:
    times = [seconds for seconds in (step.look_after, wanted.look_after) if seconds is not None]
    return replace(step, look_after=min(times, default=None))
