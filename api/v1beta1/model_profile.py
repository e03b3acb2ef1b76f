"""ModelProfile: the facts about a model from which its memory is sized, for models outside the catalogue."""

from typing import Literal

from pydantic import ConfigDict, Field

from api.formats import ByteCount, ModelId, ShortText, Timestamp
from api.group import API_VERSION
from api.markers import SET, Rule, keyed_by, rules
from api.object import ApiModel, Condition, KubernetesObject
from api.v1beta1.precision import ResolvedPrecision

_LARGEST = 1_000_000_000


_CONSISTENT = (
    Rule(
        "!has(self.activeParams) || self.activeParams <= self.totalParams",
        "activeParams is larger than totalParams: give at most totalParams, or leave it out",
        "'activeParams %d is larger than totalParams %d: give at most totalParams, or leave it out'"
        ".format([self.activeParams, self.totalParams])",
        field_path=".activeParams",
    ),
    Rule(
        # the embedding alone has so many; below 10^18, so nothing overflows
        "self.totalParams >= self.vocabSize * self.hiddenSize",
        "totalParams is less than vocabSize x hiddenSize, which the embedding alone has: write the whole number, "
        "8000000000 for 8B",
        "'totalParams %d is less than vocabSize %d x hiddenSize %d, which the embedding alone has:"
        " write the whole number, 8000000000 for 8B'.format([self.totalParams, self.vocabSize, self.hiddenSize])",
        field_path=".totalParams",
    ),
    Rule(
        "self.attentionHeads % self.kvHeads == 0",
        "attentionHeads is no multiple of kvHeads: check num_attention_heads and num_key_value_heads",
        "'attentionHeads %d is no multiple of kvHeads %d:"
        " check num_attention_heads and num_key_value_heads'.format([self.attentionHeads, self.kvHeads])",
        field_path=".attentionHeads",
    ),
    Rule(
        "!has(self.fullAttentionLayers) || self.fullAttentionLayers <= self.layers",
        "fullAttentionLayers is larger than layers: give at most layers, or leave it out when all are",
        "'fullAttentionLayers %d is larger than layers %d: give at most layers, or leave it out when all are'"
        ".format([self.fullAttentionLayers, self.layers])",
        field_path=".fullAttentionLayers",
    ),
    Rule(
        "!has(self.qkRopeHeadDim) || has(self.kvLoraRank)",
        "qkRopeHeadDim belongs to latent attention: give kvLoraRank, too, or leave both out",
        "'qkRopeHeadDim %d belongs to latent attention: give kvLoraRank, too, or leave both out'"
        ".format([self.qkRopeHeadDim])",
        field_path=".qkRopeHeadDim",
    ),
)


class ArchitectureFacts(ApiModel):
    """Shape of the model, in the words of its config.json."""

    model_config = ConfigDict(json_schema_extra=rules(*_CONSISTENT))

    architecture: ShortText | None = Field(default=None, description="Family, e.g. llama, qwen3, deepseek_v3.")
    total_params: int = Field(ge=1, description="Parameters in all.")
    active_params: int | None = Field(
        default=None, ge=1, description="Parameters used a token, for mixtures of experts."
    )
    layers: int = Field(ge=1, le=10_000, description="Hidden layers.")
    hidden_size: int = Field(ge=1, le=_LARGEST, description="Width of the hidden state.")
    intermediate_size: int | None = Field(default=None, ge=1, le=_LARGEST, description="Width of the MLP.")
    attention_heads: int = Field(ge=1, le=100_000, description="Attention heads.")
    kv_heads: int = Field(ge=1, le=100_000, description="Key and value heads.")
    head_dim: int = Field(ge=1, le=100_000, description="Width of one head.")
    vocab_size: int = Field(ge=1, le=_LARGEST, description="Size of the vocabulary.")
    max_position_embeddings: int = Field(ge=1, le=_LARGEST, description="Longest sequence in tokens.")
    tie_word_embeddings: bool = Field(default=False, description="Whether input and output embeddings are one.")
    sliding_window: int | None = Field(default=None, ge=1, le=_LARGEST, description="Window of local layers in tokens.")
    full_attention_layers: int | None = Field(
        default=None, ge=0, le=10_000, description="Layers that attend to the whole sequence; absent: all."
    )
    kv_lora_rank: int | None = Field(
        default=None, ge=1, le=100_000, description="Rank of compressed keys and values, with latent attention."
    )
    qk_rope_head_dim: int | None = Field(
        default=None, ge=1, le=100_000, description="Rotary part of a key, with latent attention."
    )
    native_dtype: ShortText | None = Field(default=None, description="Type of the published weights, e.g. bfloat16.")
    native_quantization: ShortText | None = Field(default=None, description="Their quantization, e.g. fp8.")


_WEIGHTLESS = (
    "would place the model without room for its weights: write their bytes, or leave it out to have them computed"
)


class SizingOverrides(ApiModel):
    """Figures to use instead of computed ones."""

    weights_bytes: ByteCount | None = Field(
        default=None,
        description="Weights in bytes; absent: computed from the architecture.",
        json_schema_extra=rules(Rule("self > 0", f"weightsBytes 0 {_WEIGHTLESS}")),
    )
    kv_bytes_per_token: ByteCount | None = Field(
        default=None, description="KV cache a token in bytes; absent: computed from the architecture."
    )
    overhead_bytes: ByteCount | None = Field(
        default=None, description="Activations and runtime in bytes; absent: computed."
    )


class ModelProfileSpec(ApiModel):
    """The model and its facts."""

    model_id: ModelId = Field(description="Identity that services name in spec.model.id.")
    architecture: ArchitectureFacts = Field(description="Shape of the model.")
    precisions: list[ResolvedPrecision] = Field(
        default_factory=list,
        max_length=8,
        description="Precisions in which weights exist; empty: the published one.",
        json_schema_extra=SET,
    )
    overrides: SizingOverrides = Field(
        default_factory=SizingOverrides, description="Figures to use instead of computed ones."
    )


class SizePerPrecision(ApiModel):
    """The memory needed at one precision, with default lengths."""

    precision: ResolvedPrecision = Field(description="The precision.")
    total_bytes: ByteCount = Field(description="Memory in bytes.")


class ObservedUse(ApiModel):
    """What running engines were seen to take."""

    peak_bytes: ByteCount | None = Field(default=None, description="Largest use seen in bytes.")
    samples: int = Field(default=0, ge=0, description="Pods it was seen on.")
    last_seen: Timestamp | None = Field(default=None, description="When it was seen last.")


class ModelProfileStatus(ApiModel):
    """What sizing makes of the facts; written by the operator alone."""

    observed_generation: int | None = Field(default=None, ge=0, description="The generation last acted upon.")
    sizes: list[SizePerPrecision] = Field(
        default_factory=list,
        max_length=8,
        description="Memory needed, by precision.",
        json_schema_extra=keyed_by("precision"),
    )
    observed: ObservedUse | None = Field(default=None, description="What running engines were seen to take.")
    conditions: list[Condition] = Field(
        default_factory=list, max_length=16, description="Ready and others.", json_schema_extra=keyed_by("type")
    )


class ModelProfile(KubernetesObject):
    """The facts about a model from which its memory is sized."""

    api_version: Literal["aim.amd.com/v1beta1"] = API_VERSION
    kind: Literal["ModelProfile"] = "ModelProfile"
    spec: ModelProfileSpec = Field(description="The model and its facts.")
    status: ModelProfileStatus = Field(
        default_factory=ModelProfileStatus, description="What sizing makes of the facts."
    )
