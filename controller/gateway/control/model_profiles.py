"""Which engines tell of which ModelProfile, and what its status then has of them. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from controller.gateway.configuration import Endpoint
from controller.gateway.control.members import HOLDING
from controller.gateway.control.objects import Claim, ClaimModel
from controller.runtime.objects.metadata import ApiStruct, KubeObject, OrNull, null_is_empty

SEEN_AGAIN: Final = timedelta(hours=1)
"""How old `lastSeen` gets before it is written again though nothing more was taken."""


class ProfileSpec(ApiStruct, frozen=True, kw_only=True):
    """The model that it is for."""

    model_id: str = msgspec.field(default="", name="modelId")


class Size(ApiStruct, frozen=True, kw_only=True):
    """What the operator made of its facts for one precision; bytes."""

    precision: str = ""
    kv_bytes_per_token: int | None = None


class ObservedUse(ApiStruct, frozen=True, kw_only=True):
    """What running engines were seen to take."""

    peak_bytes: int | None = None
    samples: int = 0
    last_seen: str | None = None


class ProfileStatus(ApiStruct, frozen=True, kw_only=True):
    """What is known of it."""

    sizes: OrNull[Size] = ()
    observed: ObservedUse | None = None

    def __post_init__(self) -> None:
        null_is_empty(self, "sizes")


class Profile(KubeObject, frozen=True, kw_only=True):
    """A ModelProfile."""

    spec: ProfileSpec = ProfileSpec()
    status: ProfileStatus = ProfileStatus()


@dataclass(frozen=True, slots=True)
class Observable:
    """An engine that tells of a ModelProfile: it has one partition for itself, of so many bytes; `token_bytes` of KV
    cache a token.
    """

    profile: str
    endpoint: Endpoint
    partition_bytes: int
    token_bytes: int


def observables(
    endpoints: Iterable[Endpoint], claim_of: Callable[[str], Claim | None], profiles: Iterable[Profile]
) -> Iterator[Observable]:
    """The engines that tell of a profile. `claim_of` has the claim of a pod, by its uid.

    A model without a profile is the catalogue's. Members of a share group have their KV cache pinned, and of an engine
    over several partitions the sizes say nothing.
    """
    known = sorted(profiles, key=lambda profile: (profile.metadata.creation_timestamp or "", profile.metadata.name))
    for endpoint in endpoints:
        claim = claim_of(endpoint.uid)
        model = claim.spec.model if claim is not None else None
        if claim is None or model is None or claim.spec.pod_ref is None or claim.status.phase not in HOLDING:
            continue
        devices = claim.status.allocation.devices if claim.status.allocation is not None else ()
        profile = _profile_of(model, known)
        if len(devices) != 1 or not devices[0].bytes or profile is None:
            continue
        for size in profile.status.sizes:
            if size.precision == model.precision and size.kv_bytes_per_token:
                yield Observable(profile.metadata.name, endpoint, devices[0].bytes, size.kv_bytes_per_token)


def _profile_of(model: ClaimModel, known: Iterable[Profile]) -> Profile | None:
    """The one that sizes the model: the named one, else the oldest that is for it."""
    if model.profile_ref is not None:
        return next((profile for profile in known if profile.metadata.name == model.profile_ref), None)
    return next((profile for profile in known if profile.spec.model_id == model.id), None)


def seen(before: ObservedUse | None, peak_bytes: int, pods: int, now: datetime) -> ObservedUse | None:
    """What the status is to have, given what was taken now by `pods` that were seen; None where it has it already."""
    before = before or ObservedUse()
    peak, samples = max(peak_bytes, before.peak_bytes or 0), max(pods, before.samples)
    same = (peak, samples) == (before.peak_bytes, before.samples)
    if same and before.last_seen is not None and now - datetime.fromisoformat(before.last_seen) < SEEN_AGAIN:
        return None
    return ObservedUse(peak_bytes=peak, samples=samples, last_seen=now.strftime("%Y-%m-%dT%H:%M:%SZ"))
