"""The shape of a model, from which its memory is computed."""

from typing import Final, Literal

from pydantic import ConfigDict, Field

from api.formats import ByteCount, ShortText
from api.markers import ATOMIC, Rule, rules
from api.object import ApiModel
from api.v1beta1.layer_group import LayerGroup

_LARGEST: Final = 1_000_000_000

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
        "!has(self.kvHeads) || self.attentionHeads % self.kvHeads == 0",
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
        "!has(self.fullAttentionLayers) || self.fullAttentionLayers == self.layers || has(self.slidingWindow)",
        "fullAttentionLayers leaves layers of which nothing is said: give slidingWindow, or describe them in "
        "layerGroups",
        "'fullAttentionLayers %d leaves layers of which nothing is said: give slidingWindow, or describe them in"
        " layerGroups'.format([self.fullAttentionLayers])",
        field_path=".fullAttentionLayers",
    ),
    Rule(
        "!has(self.qkRopeHeadDim) || has(self.kvLoraRank)",
        "qkRopeHeadDim belongs to latent attention: give kvLoraRank, too, or leave both out",
        "'qkRopeHeadDim %d belongs to latent attention: give kvLoraRank, too, or leave both out'"
        ".format([self.qkRopeHeadDim])",
        field_path=".qkRopeHeadDim",
    ),
    Rule(
        "!has(self.qkRopeHeadDim) || !has(self.headDim) || self.qkRopeHeadDim < self.headDim",
        "qkRopeHeadDim is a part of headDim, the width of a key: give the whole width as headDim",
        "'qkRopeHeadDim %d is a part of headDim %d, the width of a key: give the whole width as headDim'"
        ".format([self.qkRopeHeadDim, self.headDim])",
        field_path=".qkRopeHeadDim",
    ),
    Rule(
        "has(self.layerGroups) || has(self.kvHeads) && has(self.headDim)",
        "nothing says what the layers keep: give kvHeads and headDim, or layerGroups where layers differ",
    ),
    Rule(
        "!has(self.layerGroups) || self.layerGroups.map(group, group.layers).sum() == self.layers",
        "the groups must have all layers: let the layers of layerGroups sum up to layers",
        "'the groups have %d layers of %d: let the layers of layerGroups sum up to layers'"
        ".format([self.layerGroups.map(group, group.layers).sum(), self.layers])",
        field_path=".layerGroups",
    ),
    Rule(
        "!has(self.layerGroups) || ![has(self.slidingWindow), has(self.fullAttentionLayers), has(self.kvLoraRank)]"
        ".exists(given, given)",
        "layerGroups say it all: leave slidingWindow, fullAttentionLayers and kvLoraRank out",
        field_path=".layerGroups",
    ),
    Rule(
        "!has(self.experts) || self.experts.layers <= self.layers",
        "experts has more layers than the model: give the layers that are a mixture",
        "'experts in %d layers of %d: give the layers that are a mixture'.format([self.experts.layers, self.layers])",
        field_path=".experts",
    ),
    Rule(
        "has(self.experts) || has(self.intermediateSize)",
        "nothing says how wide the MLPs are: give intermediateSize, or experts for a mixture of them",
    ),
    Rule(
        "(has(self.visionParams) ? self.visionParams : 0) + (has(self.mtpParams) ? self.mtpParams : 0)"
        " < self.totalParams",
        "visionParams and mtpParams are parts of totalParams: give a total that has them",
        "'visionParams and mtpParams are parts of totalParams %d: give a total that has them'"
        ".format([self.totalParams])",
        field_path=".totalParams",
    ),
)

_CHOSEN = Rule(
    "self.perToken <= self.count",
    "perToken is larger than count: give the experts that one token goes through",
    "'perToken %d is larger than count %d: give the experts that one token goes through'"
    ".format([self.perToken, self.count])",
    field_path=".perToken",
)


class Experts(ApiModel):
    """The layers that are a mixture of experts. All of them are in memory, whatever a token goes through."""

    model_config = ConfigDict(json_schema_extra=rules(_CHOSEN))

    layers: int = Field(ge=1, le=10_000, description="Layers that are a mixture.")
    count: int = Field(ge=1, le=100_000, description="Routed experts of one layer.")
    per_token: int = Field(ge=1, le=100_000, description="Experts chosen for a token.")
    intermediate_size: int = Field(ge=1, le=_LARGEST, description="Width of one routed expert.")
    shared_width: int = Field(
        default=0, ge=0, le=_LARGEST, description="Width of a layer's shared experts together; 0: it has none."
    )


class Quantization(ApiModel):
    """How the published weights are quantized."""

    method: Literal["fp8", "int8", "int4", "mxfp4"] = Field(description="fp8, int8, int4 or mxfp4.")
    covers: Literal["linear", "experts"] = Field(
        default="linear",
        description="linear: all linear layers but embedding, head, routers and image encoder; experts: the routed "
        "experts alone.",
    )
    group: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Elements that share a scale; absent: those of a channel or of the whole tensor.",
    )


class ArchitectureFacts(ApiModel):
    """Shape of the model, in the words of its config.json."""

    model_config = ConfigDict(json_schema_extra=rules(*_CONSISTENT))

    architecture: ShortText | None = Field(default=None, description="Family, e.g. llama, qwen3, deepseek_v3.")
    total_params: int = Field(
        ge=1, description="Parameters in all: every expert, an image encoder, layers for multi-token prediction."
    )
    active_params: int | None = Field(
        default=None, ge=1, description="Parameters used a token, for mixtures of experts; for people."
    )
    layers: int = Field(ge=1, le=10_000, description="Hidden layers.")
    hidden_size: int = Field(ge=1, le=_LARGEST, description="Width of the hidden state.")
    intermediate_size: int | None = Field(
        default=None, ge=1, le=_LARGEST, description="Width of a dense MLP; absent: every layer is a mixture."
    )
    attention_heads: int = Field(ge=1, le=100_000, description="Attention heads.")
    kv_heads: int | None = Field(
        default=None, ge=1, le=100_000, description="Key and value heads; not needed with layerGroups."
    )
    head_dim: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="Width of a key; with latent attention its rotary part included. Not needed with layerGroups.",
    )
    vocab_size: int = Field(ge=1, le=_LARGEST, description="Size of the vocabulary.")
    max_position_embeddings: int = Field(ge=1, le=_LARGEST, description="Longest sequence in tokens.")
    tie_word_embeddings: bool = Field(default=False, description="Whether input and output embeddings are one.")
    sliding_window: int | None = Field(
        default=None,
        ge=1,
        le=_LARGEST,
        description="Window of local layers in tokens; only with fullAttentionLayers are there any.",
    )
    full_attention_layers: int | None = Field(
        default=None, ge=0, le=10_000, description="Layers that attend to the whole sequence; absent: all."
    )
    kv_lora_rank: int | None = Field(
        default=None, ge=1, le=100_000, description="Rank of compressed keys and values, with latent attention."
    )
    qk_rope_head_dim: int | None = Field(
        default=None, ge=1, le=100_000, description="Rotary part of a key, with latent attention."
    )
    layer_groups: list[LayerGroup] | None = Field(
        default=None,
        min_length=1,
        max_length=16,
        description="What the layers keep of a sequence, where they differ; absent: all are as the fields above say.",
        json_schema_extra=ATOMIC,
    )
    experts: Experts | None = Field(default=None, description="The layers that are a mixture of experts.")
    dense_layers: int | None = Field(
        default=None, ge=0, le=10_000, description="Layers with a dense MLP; absent: those that are no mixture."
    )
    vision_params: int | None = Field(
        default=None, ge=0, description="Parameters of an image encoder and its projector, of totalParams."
    )
    mtp_params: int | None = Field(
        default=None,
        ge=0,
        description="Parameters of layers for multi-token prediction, of totalParams: in the files, not in memory.",
    )
    native_dtype: Literal["bfloat16", "float16", "float32"] | None = Field(
        default=None, description="Type of the published weights that are not quantized; absent: bfloat16."
    )
    quantization: Quantization | None = Field(
        default=None, description="How the published weights are quantized; absent: they are not."
    )
    checkpoint_bytes: ByteCount | None = Field(
        default=None, description="Bytes of the published tensors, without file headers; absent: computed."
    )
