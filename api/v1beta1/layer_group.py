"""Layers that keep the same of a sequence: what a model's cache is sized from when not all of its layers are alike."""

from typing import Final

from pydantic import ConfigDict, Field

from api.formats import ByteCount
from api.markers import Rule, rules
from api.object import ApiModel

_MOST_HEADS: Final = 100_000
_WIDEST: Final = 1_000_000


class FullLayers(ApiModel):
    """A key and a value a head of every token: MHA, GQA and MQA."""

    kv_heads: int = Field(ge=1, le=_MOST_HEADS, description="Key and value heads.")
    head_dim: int = Field(ge=1, le=_WIDEST, description="Width of a key.")
    value_dim: int | None = Field(default=None, ge=1, le=_WIDEST, description="Width of a value; absent: headDim.")
    keys_are_values: bool = Field(
        default=False, description="Whether there is no projection of values, they being the keys again."
    )


class WindowLayers(ApiModel):
    """A key and a value a head of the last tokens alone."""

    kv_heads: int = Field(ge=1, le=_MOST_HEADS, description="Key and value heads.")
    head_dim: int = Field(ge=1, le=_WIDEST, description="Width of a key.")
    value_dim: int | None = Field(default=None, ge=1, le=_WIDEST, description="Width of a value; absent: headDim.")
    window: int = Field(ge=1, le=1_000_000_000, description="Tokens that are kept, at most.")
    chunked: bool = Field(
        default=False, description="Whether the window is the present chunk, and not the last so many tokens."
    )


class LatentLayers(ApiModel):
    """One compressed vector of every token for all heads (MLA), which tensor parallelism does not divide."""

    kv_lora_rank: int = Field(ge=1, le=_WIDEST, description="Width of the compressed keys and values.")
    qk_rope_head_dim: int = Field(ge=1, le=_WIDEST, description="Width of a key's rotary part, kept besides.")
    qk_nope_head_dim: int = Field(ge=1, le=_WIDEST, description="Width of the rest of a key; counts for weights only.")
    v_head_dim: int = Field(ge=1, le=_WIDEST, description="Width of a value; counts for weights only.")
    q_lora_rank: int | None = Field(
        default=None, ge=1, le=_WIDEST, description="Rank of compressed queries; absent: they are projected at once."
    )
    indexer_heads: int = Field(default=0, ge=0, le=_MOST_HEADS, description="Query heads of a sparse indexer, if any.")
    indexer_dim: int = Field(default=0, ge=0, le=_WIDEST, description="Width of the keys that the indexer keeps.")


class GatedDeltaNetLayers(ApiModel):
    """Linear attention: a matrix a value head and the last inputs of a convolution, whatever the length."""

    key_heads: int = Field(ge=1, le=_MOST_HEADS, description="Key heads.")
    value_heads: int = Field(ge=1, le=_MOST_HEADS, description="Value heads.")
    key_dim: int = Field(ge=1, le=_WIDEST, description="Width of a key.")
    value_dim: int = Field(ge=1, le=_WIDEST, description="Width of a value.")
    conv_kernel: int = Field(ge=1, le=1024, description="Inputs that the convolution sees.")


class Mamba2Layers(ApiModel):
    """State space layers: a state a head and the last inputs of a convolution, whatever the length."""

    heads: int = Field(ge=1, le=_MOST_HEADS, description="Heads.")
    head_dim: int = Field(ge=1, le=_WIDEST, description="Width of a head.")
    state_dim: int = Field(ge=1, le=_WIDEST, description="Width of the state.")
    groups: int = Field(ge=1, le=_MOST_HEADS, description="Groups that share the state's projections.")
    conv_kernel: int = Field(ge=1, le=1024, description="Inputs that the convolution sees.")


class RecurrentLayers(ApiModel):
    """Any other layer that keeps so much of a sequence, whatever its length."""

    state_bytes: ByteCount = Field(description="What one layer keeps of one sequence, in bytes.")
    params: int = Field(default=0, ge=0, description="Parameters of one layer's mixing part.")


class CrossLayers(ApiModel):
    """A key and a value a head of the tokens of something else, such as an image."""

    kv_heads: int = Field(ge=1, le=_MOST_HEADS, description="Key and value heads.")
    head_dim: int = Field(ge=1, le=_WIDEST, description="Width of a key, and of a value.")
    tokens: int = Field(ge=0, le=1_000_000_000, description="Tokens of the other thing that are kept for a sequence.")


KINDS: Final = ("full", "window", "latent", "gatedDeltaNet", "mamba2", "recurrent", "cross")
"""The fields of a group of which one is set."""

_ONE_KIND = Rule(
    f"[{', '.join(f'has(self.{kind})' for kind in KINDS)}].exists_one(given, given)",
    f"a group keeps one kind of thing: set exactly one of {', '.join(KINDS)}",
    f"'a group of %d layers keeps one kind of thing: set exactly one of {', '.join(KINDS)}'.format([self.layers])",
)


class LayerGroup(ApiModel):
    """Hidden layers that keep the same of a sequence; their order does not matter. Exactly one kind is set."""

    model_config = ConfigDict(json_schema_extra=rules(_ONE_KIND))

    layers: int = Field(ge=1, le=10_000, description="Hidden layers of the group.")
    full: FullLayers | None = Field(default=None, description="They keep keys and values of every token.")
    window: WindowLayers | None = Field(default=None, description="They keep keys and values of the last tokens.")
    latent: LatentLayers | None = Field(default=None, description="They keep one compressed vector a token (MLA).")
    gated_delta_net: GatedDeltaNetLayers | None = Field(
        default=None, description="They are linear attention with a gated delta rule."
    )
    mamba2: Mamba2Layers | None = Field(default=None, description="They are state space layers.")
    recurrent: RecurrentLayers | None = Field(default=None, description="They keep a fixed amount, of any other kind.")
    cross: CrossLayers | None = Field(default=None, description="They attend to something else, such as an image.")
