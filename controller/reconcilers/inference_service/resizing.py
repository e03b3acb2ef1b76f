"""Larger partitions while a service's objectives ask for them: what `status.resizeRequest` wants, slowly followed.

A wish has to last before it is followed, for less longer than for more, and after a resize nothing follows for a while
(`repartition/hysteresis`). What was followed stands in `status.applied.resize`, so an operator that starts anew goes on
from there; how long a wish has lasted it takes from the request itself, and for one that is over it counts anew.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from api.group import GANG
from api.quantity import format_bytes, parse_quantity
from api.v1beta1 import GPUPartitionClaim, InferenceService
from api.v1beta1.gpu_partition_claim import Isolation
from api.v1beta1.inference_service import AppliedResize, AppliedRevision, ResizePolicy, ResizeRequest
from controller.gpu.compute_units import memory_with
from controller.gpu.product import Product, UnknownProduct, product_named
from controller.placement.size_text import gib
from controller.reconcilers.gpu_partition_claim.fitting import held_bytes
from controller.reconcilers.inference_service.status import Refusal, Verdict
from controller.reconcilers.inference_service.updating import Step
from controller.repartition.hysteresis import Damping, Pull, pulled, seconds_left
from controller.runtime.clock import Clock
from controller.state.cluster import Cluster
from controller.state.occupancy import HOLDING

#: A wish for more has lasted for five minutes, the shortest window in which a burn rate means something (Google's SRE
#: Workbook, "Alerting on SLOs", pairs it with an hour); one for less for half an hour, as coming back costs two starts.
DAMPING: Final = Damping(up_seconds=300.0, down_seconds=1800.0, rest_seconds=900.0, margin_percent=5)
#: A wish is looked at again after this many seconds at the latest: none of its times is an event.
LOOK_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What each partition is to have at least because of a wish: bytes, 0 for what spec and model need.

    `verdict` is the condition Resized as far as the wish goes, None where nobody wishes anything. `look_after` asks for
    another look, seconds.
    """

    least_bytes: int
    verdict: Verdict | None = None
    look_after: float | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that may be followed: bytes a partition."""

    bytes: int
    request: ResizeRequest


class Resizing:
    """Follows the requests of all services. What lasts is remembered by service."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._pulls: dict[str, Pull] = {}

    def forget(self, key: str) -> None:
        """The service is gone."""
        self._pulls.pop(key, None)

    def wanted(
        self, key: str, service: InferenceService, needed: int | None, claims: Sequence[GPUPartitionClaim]
    ) -> Wanted:
        """What is wanted now. `needed` bytes are what the model takes by sizing, None where that is not known."""
        granted, request = granted_bytes(service), service.status.resize_request
        if needed is None or (request is None and not granted):
            self.forget(key)
            return Wanted(granted)
        own = max(needed, _least(service.spec.gpu_sharing.partition.min_memory))
        asked = self._asked(service, claims) if request is not None else None
        if isinstance(asked, Refusal) and not granted:
            self.forget(key)
            return Wanted(0, ("False", asked.reason, asked.message))
        goal = max(own, asked.bytes) if isinstance(asked, _Asked) else own
        present = max(own, granted)
        if goal > present and _has(claims, goal):
            goal = present  # what the pods have by chance is enough, as long as they have it
        return self._followed(key, service, asked, (own, present, goal))

    def _followed(
        self, key: str, service: InferenceService, asked: _Asked | Refusal | None, sizes: tuple[int, int, int]
    ) -> Wanted:
        own, present, goal = sizes
        now = self._clock.now().timestamp()
        pull = pulled(self._pulls.get(key), present, goal, now, DAMPING)
        if pull is None:
            self.forget(key)
            return Wanted(granted_bytes(service), _at_rest(asked, own, present))
        if pull.up and isinstance(asked, _Asked) and asked.request.since is not None:
            pull = replace(pull, since=min(pull.since, asked.request.since.timestamp()))
        self._pulls[key] = pull
        left = seconds_left(pull, _last_change(service), now, DAMPING)
        if left > 0:
            return Wanted(granted_bytes(service), _waits(asked, present, pull), min(left, LOOK_SECONDS))
        least = pull.level if pull.level > own else 0
        return Wanted(least, _follows(pull, least), LOOK_SECONDS)

    def _asked(self, service: InferenceService, claims: Sequence[GPUPartitionClaim]) -> _Asked | Refusal:
        """What the request comes to in bytes a partition, or why it is not followed."""
        request, sharing = service.status.resize_request, service.spec.gpu_sharing
        if request is None:
            raise ValueError("there is no request: nothing is asked")
        told = f"larger partitions are wanted ({request.reason})"
        if sharing.partition.resize is not ResizePolicy.AUTO:
            remedy = "set spec.gpuSharing.partition.resize to Auto, or raise minMemory beside it"
            return Refusal("ResizeNever", f"{told}, and the spec lets nobody resize the service: {remedy}")
        if sharing.isolation is Isolation.COOPERATIVE:
            group = f"the members of share group {sharing.share_group} have one partition together"
            return Refusal("SharedPartition", f"{told}, and {group}: leave the group, with isolation hardware")
        if self._in_gang(claims):
            return Refusal("GangMember", f"{told}, and pods of a gang are placed once, all together: resize it by hand")
        return self._in_bytes(request, told)

    def _in_bytes(self, request: ResizeRequest, told: str) -> _Asked | Refusal:
        units = request.want_compute_units
        by_units = memory_with(_known(self._cluster.products.known), units) if units is not None else 0
        if by_units is None:
            return Refusal("NoSuchPartition", f"{told}, and no partition of any GPU here has {units} compute units")
        asked = max(by_units, _least(request.want_memory))
        if units is None and request.want_memory is None:
            return Refusal("NothingWanted", f"{told}, and status.resizeRequest says neither how much memory nor units")
        return _Asked(asked, request)

    def _in_gang(self, claims: Iterable[GPUPartitionClaim]) -> bool:
        pods = (self._cluster.pod_table.of_claim(claim) for claim in claims)
        return any(pod is not None and GANG in pod.annotations for pod in pods)


def granted_bytes(service: InferenceService) -> int:
    """What the pods' partitions have at least because of a resize, bytes; 0 for nothing."""
    applied = service.status.applied
    return _least(applied.resize.min_memory) if applied is not None and applied.resize is not None else 0


def sized_for(service: InferenceService, least_bytes: int) -> InferenceService:
    """The service as if its spec asked for partitions of so many bytes; itself where it asks for no less."""
    sharing = service.spec.gpu_sharing
    if least_bytes <= _least(sharing.partition.min_memory):
        return service
    partition = sharing.partition.model_copy(update={"min_memory": format_bytes(least_bytes)})
    spec = service.spec.model_copy(update={"gpu_sharing": sharing.model_copy(update={"partition": partition})})
    return service.model_copy(update={"spec": spec})


def recorded(step: Step, service: InferenceService, wanted_hash: str, least_bytes: int, clock: Clock) -> Step:
    """The step with the resize in what is applied: the one that it makes, or the one before it."""
    before = service.status.applied
    if step.applied is None:
        return step
    resize = before.resize if before is not None else None
    if step.applied.hash == wanted_hash and least_bytes != granted_bytes(service):
        least = format_bytes(least_bytes) if least_bytes else None
        resize = AppliedResize(min_memory=least, hash=wanted_hash, time=clock.now())
    return replace(step, applied=_with(step.applied, resize))


def concluded(wanted: Wanted, step: Step, least_bytes: int) -> Verdict | None:
    """The condition Resized, once it was decided what is applied. `least_bytes`: what the step was asked for."""
    if wanted.verdict is None or wanted.verdict[1] not in (_GROWS, _GOES_BACK):
        return wanted.verdict
    status, _, message = wanted.verdict
    if step.held and step.blocked is not None:
        return status, step.blocked.reason, f"{message}, which has to wait: {step.blocked.message}"
    if step.applied is not None and step.applied.strategy is not None:
        return status, "RollingOut", f"{message}: new pods have places, and take the old ones' turn"
    if step.held:
        return status, "NothingSmaller", f"{message} once smaller partitions are free"
    return _larger(least_bytes) if least_bytes else ("False", "NotWanted", "nobody wants larger partitions")


_GROWS: Final = "Grows"
_GOES_BACK: Final = "GoesBack"


def _with(applied: AppliedRevision, resize: AppliedResize | None) -> AppliedRevision:
    return applied if applied.resize == resize else applied.model_copy(update={"resize": resize})


def _at_rest(asked: _Asked | Refusal | None, own: int, present: int) -> Verdict:
    if isinstance(asked, Refusal):
        return "False", asked.reason, asked.message
    if present > own:
        return _larger(present)
    if asked is None:
        return "False", "NotWanted", "nobody wants larger partitions"
    return "False", "LargeEnough", f"{gib(asked.bytes)} a partition are wanted ({asked.request.reason}), as there are"


def _waits(asked: _Asked | Refusal | None, present: int, pull: Pull) -> Verdict:
    span = DAMPING.up_seconds if pull.up else DAMPING.down_seconds
    rest = f"for {span / 60:.0f} minutes, and the last resize is {DAMPING.rest_seconds / 60:.0f} minutes ago"
    if pull.up and isinstance(asked, _Asked):
        told = (
            f"{gib(asked.bytes)} a partition are wanted ({asked.request.reason}), followed once that has lasted {rest}"
        )
        return "False", "NotYet", told
    back = "nobody wants as much any more" if not isinstance(asked, Refusal) else asked.message
    return "True", "Larger", f"each partition has at least {gib(present)}; {back}, followed once it has lasted {rest}"


def _follows(pull: Pull, least: int) -> Verdict:
    if pull.up:
        return "False", _GROWS, f"the pods move to partitions of at least {gib(least)}"
    return "True", _GOES_BACK, "the pods move back to smaller partitions"


def _larger(least: int) -> Verdict:
    return "True", "Larger", f"each partition has at least {gib(least)}, as was wanted"


def _last_change(service: InferenceService) -> float | None:
    applied = service.status.applied
    return applied.resize.time.timestamp() if applied is not None and applied.resize is not None else None


def _least(quantity: str | None) -> int:
    return parse_quantity(quantity) if quantity is not None else 0


def _has(claims: Sequence[GPUPartitionClaim], size: int) -> bool:
    """Whether every partition that the pods hold is that large."""
    holding = [claim for claim in claims if claim.status.phase in HOLDING]
    return bool(holding) and all(held_bytes(claim) >= size for claim in holding)


def _known(names: Iterable[str]) -> list[Product]:
    found = []
    for name in sorted(names):
        try:
            found.append(product_named(name))
        except UnknownProduct:
            continue  # nobody knows its units: others may have them
    return found
