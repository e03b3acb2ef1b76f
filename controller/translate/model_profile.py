"""ModelProfiles as sizing sees them: a model's facts, the precisions that may be asked for, figures that are given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from api.v1beta1 import ModelProfile
from api.v1beta1.architecture_facts import ArchitectureFacts
from api.v1beta1.layer_group import LayerGroup as ApiLayerGroup
from api.v1beta1.model_profile import SizingOverrides
from api.validation.model_profile import profile_problems
from controller.sizing.errors import SizingError, UnsupportedPrecision
from controller.sizing.facts import (
    Checkpoint,
    CrossAttention,
    Experts,
    FullAttention,
    GatedDeltaNet,
    Keeps,
    LatentAttention,
    LayerGroup,
    Mamba2,
    ModelFacts,
    ParameterCounts,
    Quantization,
    RecurrentState,
    Shape,
    Source,
    WindowAttention,
)
from controller.sizing.margin import Parts, margin_bytes, uncertainty
from controller.sizing.parameters import count_parameters
from controller.sizing.precision import Precision, automatic_precision, available_precisions, native_precision
from controller.sizing.requirement import Sizing, SizingRequest, estimate_model_size

MOST_OVER_PERCENT: Final = 5
"""By so much may the shape have more parameters than the total says, in percent: an architecture whose code is not
known is counted like Llama, and biases and norms that differ are far below that. More is a contradiction."""


LONGEST: Final = 16_777_216
MOST: Final = 65_536
"""What a service may ask for at most: tokens (``spec.model.maxModelLen``) and sequences (``maxConcurrency``)."""

MOST_BYTES: Final = (1 << 63) - 1
"""The largest number of bytes that a status can hold: an int64."""


class InvalidFacts(SizingError):
    """Facts of a ModelProfile that contradict one another. ``field`` is the path in the object."""


@dataclass(frozen=True, slots=True)
class ProfiledModel:
    """What a ModelProfile says of its model. ``precisions`` empty: the published one alone."""

    facts: ModelFacts
    precisions: frozenset[Precision]
    overrides: SizingOverrides

    def refuse(self, asked: Precision) -> None:
        """Raises UnsupportedPrecision for one in which the weights do not exist; never for ``auto``."""
        offered = self.precisions or {automatic_precision(self.facts), native_precision(self.facts)}
        if asked is not Precision.AUTO and asked not in offered:
            raise UnsupportedPrecision(self.facts.model_id, asked.value, tuple(sorted(offered)))

    def given(self, sizing: Sizing) -> Sizing:
        """The sizing with the figures that the profile gives in place of computed ones.

        Weights and KV cache are the whole model's, and each rank of tensor parallelism has its part of them.
        """
        overrides, ranks = self.overrides, sizing.tensor_parallel
        if overrides == SizingOverrides():
            return sizing
        if overrides.weights_bytes is not None and sizing.precision is native_precision(self.facts):
            sizing = replace(sizing, weights_bytes=-(-overrides.weights_bytes // ranks))
        if overrides.kv_bytes_per_token is not None:
            token = -(-overrides.kv_bytes_per_token // ranks)
            cache = token * sizing.max_model_len * sizing.max_concurrency
            sizing = replace(sizing, kv_bytes_per_token=token, kv_cache_bytes=cache)
        if overrides.overhead_bytes is not None:
            sizing = replace(sizing, activation_bytes=overrides.overhead_bytes, non_torch_bytes=0, graph_bytes=0)
        parts = Parts(
            weights_bytes=sizing.weights_bytes,
            kv_cache_bytes=sizing.kv_cache_bytes,
            activation_bytes=sizing.activation_bytes,
            non_torch_bytes=sizing.non_torch_bytes,
            graph_bytes=sizing.graph_bytes,
            loading_bytes=sizing.loading_bytes,
            uncounted_bytes=sizing.uncounted_bytes,
        )
        margin = 0 if overrides.overhead_bytes is not None else margin_bytes(parts)
        return replace(sizing, margin_bytes=margin, uncertainty=uncertainty(parts))


def profiled_model(profile: ModelProfile) -> ProfiledModel:
    """The model of a ModelProfile. Raises InvalidFacts where its facts contradict one another."""
    _require_rules(profile)
    spec = profile.spec
    shape = _shape(spec.architecture)
    counts = _counts(spec.architecture, shape)
    source = Source(says="shape", where=f"ModelProfile {profile.metadata.name}", how="known")
    facts = ModelFacts(spec.model_id, shape, counts, _checkpoint(spec.architecture), (source,))
    model = ProfiledModel(facts, _precisions(profile, facts), spec.overrides)
    _require_sense(model)
    return model


def _require_rules(profile: ModelProfile) -> None:
    """The rules that the API server holds new objects to; files and older objects have not been before it."""
    for broken in profile_problems(profile):
        value: object = profile.model_dump(by_alias=True, mode="json", exclude_none=True)
        for name in broken.path.partition("[")[0].split("."):
            value = value.get(name, "") if isinstance(value, dict) else ""
        problem, _, remedy = broken.message.rpartition(": ")
        raise InvalidFacts(broken.path, value, f"is refused ({problem})", remedy)


def _require_sense(model: ProfiledModel) -> None:
    """The most that may be asked for has a size that a status can hold. Raises InvalidFacts."""
    facts = model.facts
    length = min(LONGEST, facts.shape.max_position_embeddings or LONGEST)
    for precision in offered(model):
        sizing = model.given(estimate_model_size(facts, SizingRequest(facts.model_id, precision, length, MOST)))
        most = sizing.uncertainty.high_bytes  # of all that a status shows the largest
        if most > MOST_BYTES:
            raise InvalidFacts(
                "spec.architecture",
                f"{facts.total_params} parameters, {sizing.kv_bytes_per_token} bytes a token",
                f"would be {most} bytes of {MOST} sequences of {length} tokens, more than a status holds",
                "check totalParams, layers and widths, what layerGroups keep, and overrides",
            )


def offered(model: ProfiledModel) -> tuple[Precision, ...]:
    """The precisions that may be asked for, sorted by name; the published one where none is listed."""
    return tuple(sorted(model.precisions)) or (automatic_precision(model.facts),)


def _precisions(profile: ModelProfile, facts: ModelFacts) -> frozenset[Precision]:
    available = available_precisions(facts)
    for one in profile.spec.precisions:
        if one.value not in available:
            remedy = f"write some of {', '.join(available)}, or leave precisions out for the published one"
            problem = f"is none into which weights published in {available[0]} are brought"
            raise InvalidFacts("spec.precisions", one.value, problem, remedy)
    return frozenset(Precision(one.value) for one in profile.spec.precisions)


def unexplained_percent(facts: ModelFacts) -> int:
    """How much of the stored parameters the shape does not explain, in whole percent."""
    return 100 * facts.parameters.other // facts.total_params


def _counts(said: ArchitectureFacts, shape: Shape) -> ParameterCounts:
    """The parameters by role; what the total has beyond the roles counts as loaded on every rank."""
    counts = count_parameters(shape)
    if counts.total * 100 > said.total_params * (100 + MOST_OVER_PERCENT):
        raise InvalidFacts(
            "spec.architecture.totalParams",
            said.total_params,
            f"is less than the {counts.total} parameters that a model of this shape has",
            "check layers, intermediateSize, experts and tieWordEmbeddings, or correct the total",
        )
    return replace(counts, other=max(0, said.total_params - counts.total))


def _shape(said: ArchitectureFacts) -> Shape:
    return Shape(
        architecture=said.architecture or "",
        hidden_size=said.hidden_size,
        intermediate_size=said.intermediate_size or 0,
        num_attention_heads=said.attention_heads,
        vocab_size=said.vocab_size,
        tie_word_embeddings=said.tie_word_embeddings,
        max_position_embeddings=said.max_position_embeddings,
        layers=_layers(said),
        experts=_experts(said),
        dense_layers=said.dense_layers,
        vision_params=said.vision_params or 0,
        mtp_params=said.mtp_params or 0,
    )


def _experts(said: ArchitectureFacts) -> Experts | None:
    if said.experts is None:
        return None
    return Experts(
        layers=said.experts.layers,
        count=said.experts.count,
        per_token=said.experts.per_token,
        intermediate_size=said.experts.intermediate_size,
        shared_width=said.experts.shared_width,
    )


def _layers(said: ArchitectureFacts) -> tuple[LayerGroup, ...]:
    """The groups, where they are given; else the one or two of which the flat fields tell."""
    if said.layer_groups is not None:
        return tuple(LayerGroup(count=group.layers, keeps=_keeps(group)) for group in said.layer_groups)
    if said.kv_lora_rank is not None:
        return (LayerGroup(count=said.layers, keeps=_latent(said)),)
    if said.kv_heads is None or said.head_dim is None:
        raise InvalidFacts(
            "spec.architecture.kvHeads",
            "",
            "is missing",
            "give kvHeads and headDim, or layerGroups where layers differ",
        )
    everywhere = said.layers if said.full_attention_layers is None else said.full_attention_layers
    whole = LayerGroup(count=everywhere, keeps=FullAttention(kv_heads=said.kv_heads, head_dim=said.head_dim))
    if everywhere == said.layers:
        return (whole,)
    if said.sliding_window is None:
        raise InvalidFacts(
            "spec.architecture.fullAttentionLayers",
            everywhere,
            "leaves layers of which nothing is said",
            "give slidingWindow, or describe them in layerGroups",
        )
    local = WindowAttention(kv_heads=said.kv_heads, head_dim=said.head_dim, window=said.sliding_window)
    windowed = LayerGroup(count=said.layers - everywhere, keeps=local)
    return (whole, windowed) if everywhere else (windowed,)


def _latent(said: ArchitectureFacts) -> LatentAttention:
    """Latent attention from the flat fields. A value is taken to be as wide as a key without its rotary part.

    It is in DeepSeek's models, and counts for the split of the weights alone, whose total is given.
    """
    rank, rope, width = said.kv_lora_rank, said.qk_rope_head_dim, said.head_dim
    if rank is None or rope is None or width is None or rope >= width:
        raise InvalidFacts(
            "spec.architecture.kvLoraRank",
            rank,
            "is not enough to describe latent attention",
            "give qkRopeHeadDim and a headDim that is wider, or latent in layerGroups",
        )
    return LatentAttention(rank=rank, rope_dim=rope, nope_dim=width - rope, value_dim=width - rope)


def _checkpoint(said: ArchitectureFacts) -> Checkpoint:
    quantization = said.quantization
    return Checkpoint(
        dtype=said.native_dtype or "bfloat16",
        quantization=None
        if quantization is None
        else Quantization(method=quantization.method, covers=quantization.covers, group=quantization.group),
        bytes=said.checkpoint_bytes,
    )


def _keeps(group: ApiLayerGroup) -> Keeps:
    for read in _KINDS.values():
        found = read(group)
        if found is not None:
            return found
    raise InvalidFacts(
        "spec.architecture.layerGroups",
        f"{group.layers} layers",
        "do not say what they keep",
        f"set exactly one of {', '.join(_KINDS)}",
    )


def _full(group: ApiLayerGroup) -> Keeps | None:
    one = group.full
    return (
        None
        if one is None
        else FullAttention(
            kv_heads=one.kv_heads, head_dim=one.head_dim, value_dim=one.value_dim, keys_are_values=one.keys_are_values
        )
    )


def _window(group: ApiLayerGroup) -> Keeps | None:
    one = group.window
    return (
        None
        if one is None
        else WindowAttention(
            kv_heads=one.kv_heads,
            head_dim=one.head_dim,
            window=one.window,
            chunked=one.chunked,
            value_dim=one.value_dim,
        )
    )


def _grouped_latent(group: ApiLayerGroup) -> Keeps | None:
    one = group.latent
    return (
        None
        if one is None
        else LatentAttention(
            rank=one.kv_lora_rank,
            rope_dim=one.qk_rope_head_dim,
            nope_dim=one.qk_nope_head_dim,
            value_dim=one.v_head_dim,
            query_rank=one.q_lora_rank,
            indexer_heads=one.indexer_heads,
            indexer_dim=one.indexer_dim,
        )
    )


def _gated_delta_net(group: ApiLayerGroup) -> Keeps | None:
    one = group.gated_delta_net
    return (
        None
        if one is None
        else GatedDeltaNet(
            key_heads=one.key_heads,
            value_heads=one.value_heads,
            key_dim=one.key_dim,
            value_dim=one.value_dim,
            conv_kernel=one.conv_kernel,
        )
    )


def _mamba2(group: ApiLayerGroup) -> Keeps | None:
    one = group.mamba2
    return (
        None
        if one is None
        else Mamba2(
            heads=one.heads,
            head_dim=one.head_dim,
            state_dim=one.state_dim,
            groups=one.groups,
            conv_kernel=one.conv_kernel,
        )
    )


def _recurrent(group: ApiLayerGroup) -> Keeps | None:
    one = group.recurrent
    return None if one is None else RecurrentState(bytes=one.state_bytes, parameters=one.params)


def _cross(group: ApiLayerGroup) -> Keeps | None:
    one = group.cross
    return None if one is None else CrossAttention(kv_heads=one.kv_heads, head_dim=one.head_dim, tokens=one.tokens)


_KINDS: Final[Mapping[str, Callable[[ApiLayerGroup], Keeps | None]]] = MappingProxyType(
    {
        "full": _full,
        "window": _window,
        "latent": _grouped_latent,
        "gatedDeltaNet": _gated_delta_net,
        "mamba2": _mamba2,
        "recurrent": _recurrent,
        "cross": _cross,
    }
)
