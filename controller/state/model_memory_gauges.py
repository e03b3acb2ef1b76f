"""What ModelProfiles say that engines take, beside what engines were observed to take, as rows of gauges.

An engine is seen with a KV cache that is filled in part, at lengths of its own. So what it should take lies between
two bounds: weights and runtime alone, and all that its model was sized at where it was asked for most.
"""

from collections.abc import Iterable, Iterator

from api.v1beta1 import ModelProfile
from api.v1beta1.model_profile import SizePerPrecision
from controller.state.claim_gauges import SizedFor
from controller.telemetry.families import Labels


def observed_rows(profiles: Iterable[ModelProfile]) -> list[tuple[Labels, float]]:
    """The most that engines of each profile were observed to take, in bytes; nothing of one that none was seen of."""
    return [
        ((profile.metadata.name, profile.spec.model_id), float(profile.status.observed.peak_bytes))
        for profile in profiles
        if profile.status.observed is not None and profile.status.observed.peak_bytes is not None
    ]


def estimate_rows(profiles: Iterable[ModelProfile], sized: Iterable[SizedFor]) -> list[tuple[Labels, float]]:
    """By profile that could be sized the least and the most that an engine should take, in bytes, at any precision.

    `sized`: what models of claims were sized at. A claim that names no profile counts for each of its model.
    """
    return list(_estimates(profiles, list(sized)))


def _estimates(profiles: Iterable[ModelProfile], sized: list[SizedFor]) -> Iterator[tuple[Labels, float]]:
    for profile in profiles:
        name, model = profile.metadata.name, profile.spec.model_id
        sizes = profile.status.sizes
        least = min((part for part in map(_least, sizes) if part is not None), default=None)
        if least is not None:
            yield (name, model, "least"), float(least)
        claims = (one.bytes for one in sized if one.profile == name or (one.profile is None and one.model == model))
        most = max((*claims, *(size.total_bytes for size in sizes)), default=None)
        if most is not None:
            yield (name, model, "most"), float(most)


def _least(size: SizePerPrecision) -> int | None:
    """What is there with an empty KV cache, without the margin for what is not known."""
    if size.kv_cache_bytes is None or size.margin_bytes is None:
        return None
    return size.total_bytes - size.kv_cache_bytes - size.margin_bytes
