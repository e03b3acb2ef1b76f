"""The rules of a ModelProfile, for who has no API server to ask: files that are planned from, and objects stored before
a rule came. The API server judges by the same in CEL (``api/v1beta1/architecture_facts.py``), in the same words.
"""

from collections.abc import Iterator
from typing import Final

from api.v1beta1 import ModelProfile
from api.v1beta1.architecture_facts import ArchitectureFacts
from api.v1beta1.layer_group import KINDS
from api.v1beta1.model_profile import WEIGHTLESS, SizingOverrides
from api.validation.field_error import INVALID, FieldError

_PATH: Final = "spec.architecture"


def profile_problems(profile: ModelProfile) -> list[FieldError]:
    """Every rule that the profile's facts break."""
    said = profile.spec.architecture
    return [*_attention(said), *_groups(said), *_mlps(said), *_totals(said), *_overrides(profile.spec.overrides)]


def _broken(field: str, message: str) -> FieldError:
    return FieldError(f"{_PATH}{field}", INVALID, message)


def _overrides(given: SizingOverrides) -> Iterator[FieldError]:
    if given.weights_bytes == 0:
        message = f"weightsBytes 0 {WEIGHTLESS}"
        yield FieldError("spec.overrides.weightsBytes", INVALID, message)


def _totals(said: ArchitectureFacts) -> Iterator[FieldError]:
    total, embedding = said.total_params, said.vocab_size * said.hidden_size
    if said.active_params is not None and said.active_params > total:
        yield _broken(
            ".activeParams",
            f"activeParams {said.active_params} is larger than totalParams {total}: give at most totalParams, or leave "
            "it out",
        )
    if total < embedding:
        yield _broken(
            ".totalParams",
            f"totalParams {total} is less than vocabSize {said.vocab_size} x hiddenSize {said.hidden_size}, which the "
            "embedding alone has: write the whole number, 8000000000 for 8B",
        )
    if (said.vision_params or 0) + (said.mtp_params or 0) >= total:
        yield _broken(
            ".totalParams",
            f"visionParams and mtpParams are parts of totalParams {total}: give a total that has them",
        )


def _attention(said: ArchitectureFacts) -> Iterator[FieldError]:
    heads, full = said.attention_heads, said.full_attention_layers
    if said.kv_heads is not None and heads % said.kv_heads != 0:
        yield _broken(
            ".attentionHeads",
            f"attentionHeads {heads} is no multiple of kvHeads {said.kv_heads}: check num_attention_heads and "
            "num_key_value_heads",
        )
    if full is not None and full > said.layers:
        yield _broken(
            ".fullAttentionLayers",
            f"fullAttentionLayers {full} is larger than layers {said.layers}: give at most layers, or leave it out "
            "when all are",
        )
    elif full is not None and full < said.layers and said.sliding_window is None:
        yield _broken(
            ".fullAttentionLayers",
            f"fullAttentionLayers {full} leaves layers of which nothing is said: give slidingWindow, or describe them "
            "in layerGroups",
        )
    yield from _rotary(said)


def _rotary(said: ArchitectureFacts) -> Iterator[FieldError]:
    rotary = said.qk_rope_head_dim
    if rotary is not None and said.kv_lora_rank is None:
        yield _broken(
            ".qkRopeHeadDim",
            f"qkRopeHeadDim {rotary} belongs to latent attention: give kvLoraRank, too, or leave both out",
        )
    if rotary is not None and said.head_dim is not None and rotary >= said.head_dim:
        yield _broken(
            ".qkRopeHeadDim",
            f"qkRopeHeadDim {rotary} is a part of headDim {said.head_dim}, the width of a key: give the whole width as "
            "headDim",
        )


def _groups(said: ArchitectureFacts) -> Iterator[FieldError]:
    groups = said.layer_groups
    if groups is None:
        if said.kv_heads is None or said.head_dim is None:
            yield _broken(
                "",
                "nothing says what the layers keep: give kvHeads and headDim, or layerGroups where layers differ",
            )
        return
    layers = sum(group.layers for group in groups)
    if layers != said.layers:
        yield _broken(
            ".layerGroups",
            f"the groups have {layers} layers of {said.layers}: let the layers of layerGroups sum up to layers",
        )
    if any(one is not None for one in (said.sliding_window, said.full_attention_layers, said.kv_lora_rank)):
        yield _broken(
            ".layerGroups", "layerGroups say it all: leave slidingWindow, fullAttentionLayers and kvLoraRank out"
        )
    for place, group in enumerate(groups):
        kept = group.model_dump(by_alias=True, exclude_none=True)
        if sum(kind in kept for kind in KINDS) != 1:
            yield _broken(
                f".layerGroups[{place}]",
                f"a group of {group.layers} layers keeps one kind of thing: set exactly one of {', '.join(KINDS)}",
            )


def _mlps(said: ArchitectureFacts) -> Iterator[FieldError]:
    experts = said.experts
    if experts is None:
        if said.intermediate_size is None:
            yield _broken(
                "",
                "nothing says how wide the MLPs are: give intermediateSize, or experts for a mixture of them",
            )
        return
    if experts.layers > said.layers:
        yield _broken(
            ".experts",
            f"experts in {experts.layers} layers of {said.layers}: give the layers that are a mixture",
        )
    if experts.per_token > experts.count:
        yield _broken(
            ".experts.perToken",
            f"perToken {experts.per_token} is larger than count {experts.count}: give the experts that one token goes "
            "through",
        )
