"""ResourceClaims that the API server does not let us make: a ResourceQuota is used up, or an admission policy says no.

Whoever waits for that holds no partition meanwhile. A quota counts per namespace, so its claims share one pause, and
whoever comes first when that is over asks, with a dry run that stores nothing, before a place is looked for; what else
refuses may look at anything, so there the place is decided anew and the claim itself is tried. The pauses grow, and
are in memory only: to lose them costs one more refusal.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

from api.group import CLAIM_LABEL
from api.v1beta1 import GPUPartitionClaim
from controller.binding.dra import DRIVER
from controller.binding.open_claim import open_claim_spec
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.outcome import QUOTA_EXCEEDED
from controller.runtime.client.core import RESOURCE_CLAIMS
from controller.runtime.client.errors import AlreadyExists, Forbidden, NotFound
from controller.runtime.client.quota_refusal import Exceeded, QuotaRefusal, quota_refusal
from controller.runtime.manifest import Manifest
from controller.runtime.objects.metadata import PartialObject

#: The first pause after a refusal, seconds; each further one is twice as long.
FIRST_SECONDS: Final = 1.0
#: The longest one, seconds: so late is it noticed that a quota was raised, or that something of it was given back.
LONGEST_SECONDS: Final = 15.0
#: The same for what else refuses, where a place is decided and given back for each attempt, seconds.
LONGEST_BLIND_SECONDS: Final = 60.0
#: While one claim of a namespace asks, the others wait so long for its answer, seconds.
ASKING_SECONDS: Final = 1.0
#: A refusal that nobody has asked about for so long is forgotten, seconds.
FORGOTTEN_SECONDS: Final = 600.0

REFUSED: Final = "ResourceClaimRefused"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the API server made no ResourceClaim: a CamelCase reason, and a sentence with a remedy."""

    reason: str
    message: str


@dataclass(slots=True)
class _Standing:
    refusal: Refusal
    until: float
    in_a_row: int


class ClaimRefusals:
    """What was refused a moment ago, and when it is worth asking again."""

    def __init__(self, context: ClaimContext, rng: Random) -> None:
        self._context = context
        self._rng = rng
        self._standing: dict[str, _Standing] = {}

    async def look(self, claim: GPUPartitionClaim) -> tuple[Refusal, float] | None:
        """Why no ResourceClaim would be made at present, and the seconds until the next look; None: it may be."""
        for kind in (_of_quota(claim), _of_claim(claim)):
            known, now = self._standing.get(kind), self._context.clock.monotonic()
            if known is None:
                continue
            if known.until > now:
                return known.refusal, known.until - now
            if known.refusal.reason == QUOTA_EXCEEDED:
                known.until = now + ASKING_SECONDS
                refusal = await _tried(self._context, claim)
                known.until = now
                if refusal is not None:
                    return refusal, self.refused(claim, refusal)
        return None

    def refused(self, claim: GPUPartitionClaim, refusal: Refusal) -> float:
        """Remember a refusal; the seconds until it is worth asking again. Those that come together count once."""
        now = self._context.clock.monotonic()
        kind = _of_quota(claim) if refusal.reason == QUOTA_EXCEEDED else _of_claim(claim)
        known = self._standing.get(kind)
        if known is not None and known.until > now:
            known.refusal = refusal
            return known.until - now
        in_a_row = known.in_a_row + 1 if known is not None else 1
        most = LONGEST_SECONDS if refusal.reason == QUOTA_EXCEEDED else LONGEST_BLIND_SECONDS
        longest = min(most, FIRST_SECONDS * 2.0 ** (in_a_row - 1))
        pause = self._rng.uniform(longest / 2, longest)
        self._standing[kind] = _Standing(refusal, now + pause, in_a_row)
        self._forget_old(now)
        return pause

    def stands(self, claim: GPUPartitionClaim) -> bool:
        """Whether a ResourceClaim like this one's was refused, and none was made since."""
        return _of_quota(claim) in self._standing or _of_claim(claim) in self._standing

    def made(self, claim: GPUPartitionClaim) -> None:
        """Its ResourceClaim was made."""
        self._standing.pop(_of_quota(claim), None)
        self._standing.pop(_of_claim(claim), None)

    def _forget_old(self, now: float) -> None:
        old = [kind for kind, known in self._standing.items() if known.until + FORGOTTEN_SECONDS < now]
        for kind in old:
            del self._standing[kind]


async def make(context: ClaimContext, wanted: Manifest, claim: GPUPartitionClaim) -> Refusal | None:
    """Create the ResourceClaim; why the API server refuses to, None when it is made.

    Quotas are judged before names, so one that is there already and used the quota up is refused like a further one.
    Raises AlreadyExists for that, too, and what else an API server answers.
    """
    try:
        await context.client.create(RESOURCE_CLAIMS, wanted)
    except Forbidden as error:
        name, namespace = claim.metadata.name, claim.metadata.namespace or ""
        try:
            await context.client.get(RESOURCE_CLAIMS, name, namespace, into=PartialObject)
        except NotFound:
            return refusal_of(error, "the ResourceClaim", namespace)
        raise AlreadyExists(409, "AlreadyExists", f"resourceclaims {namespace}/{name}") from error
    return None


async def _tried(context: ClaimContext, claim: GPUPartitionClaim) -> Refusal | None:
    """Why a ResourceClaim for the claim would be refused, by a dry run; None when none would be, or one is there."""
    try:
        await context.client.create(RESOURCE_CLAIMS, _asking(claim), dry_run=True)
    except AlreadyExists:
        return None
    except Forbidden as error:
        return refusal_of(error, "the ResourceClaim", claim.metadata.namespace or "")
    return None


def refusal_of(error: Forbidden, what: str, namespace: str) -> Refusal:
    """The refusal to make `what` in words for the owner of the model."""
    found = quota_refusal(error)
    if found is None:
        message = (
            f"the API server refuses {what}: {error.message}; ask whoever runs the cluster to let the operator make it "
            f"in namespace {namespace}; it is tried again"
        )
        return Refusal(REFUSED, message)
    return Refusal(QUOTA_EXCEEDED, _quota_text(found, what, namespace))


def _quota_text(found: QuotaRefusal, what: str, namespace: str) -> str:
    quota = f"ResourceQuota {found.quota} of namespace {namespace}"
    if not found.exceeded:
        return f"{quota} is new, and Kubernetes has not counted yet what the namespace has; it is tried again"
    return (
        f"{quota} is used up: {', '.join(_exceeded_text(one, what) for one in found.exceeded)}; end a model of the "
        f"namespace, or have the quota's spec.hard raised; noticed within {LONGEST_SECONDS:.0f} s"
    )


def _exceeded_text(one: Exceeded, what: str) -> str:
    left = f" ({one.left} left)" if one.left is not None else ""
    return f"{what} asks for {one.asked} of {one.resource}, {one.used} of {one.limit} are used{left}"


def _asking(claim: GPUPartitionClaim) -> Manifest:
    """A ResourceClaim that counts as much as the claim's own will, whichever devices that is pinned to."""
    name = claim.metadata.name
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": name, "namespace": claim.metadata.namespace, "labels": {CLAIM_LABEL: name}},
        "spec": open_claim_spec(f'device.driver == "{DRIVER}"', claim.spec.requirement.count),
    }


def _of_quota(claim: GPUPartitionClaim) -> str:
    return f"{claim.metadata.namespace} {claim.spec.requirement.count}"


def _of_claim(claim: GPUPartitionClaim) -> str:
    return f"{claim.metadata.namespace}/{claim.metadata.name}"
