"""The shape of one model, whatever it came from: the catalogue, a ModelProfile or a ``config.json``.

::

    ModelFacts
    ├── shape: Shape                 widths in the words of config.json, attention as groups of layers
    │   ├── layers: LayerGroup ...   how many layers keep what of a sequence
    │   └── experts: Experts | None  the mixture layers
    ├── parameters: ParameterCounts  stored elements by role, computed from the shape
    ├── checkpoint: Checkpoint       the published files: types, quantization, bytes
    └── sources: Source ...          who says which fact

The shape's types are msgspec Structs, as they stand in the catalogue's files just so; frozen like the dataclasses.
Counts are of elements, layers, heads or tokens. Nothing is computed here but sums.
"""

from dataclasses import dataclass, fields
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

Count: TypeAlias = Annotated[int, Meta(ge=1, le=1_000_000_000)]
"""A width or a number of things there is at least one of."""

Amount: TypeAlias = Annotated[int, Meta(ge=0, le=10**15)]
"""Elements or bytes; there may be none."""


class FullAttention(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind", tag="full"):
    """Keeps a key and a value of every token, a head: MHA, GQA and MQA differ only in ``kv_heads``.

    ``value_dim`` is the width of a value where it is not ``head_dim``. ``keys_are_values``: there is no projection
    of values, they are the keys again; engines keep both all the same. ``indexer_dim`` is the width of the keys that
    a sparse indexer keeps besides (MiniMax-M3), 0 without one, ``indexer_heads`` its query heads.
    """

    kv_heads: Count
    head_dim: Count
    value_dim: Count | None = None
    keys_are_values: bool = False
    indexer_heads: Amount = 0
    indexer_dim: Amount = 0


class WindowAttention(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind", tag="window"
):
    """Keeps a key and a value of the last ``window`` tokens; of the present chunk of so many, if ``chunked``."""

    kv_heads: Count
    head_dim: Count
    window: Count
    chunked: bool = False
    value_dim: Count | None = None


class LatentAttention(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind", tag="latent"
):
    """Keeps one vector of ``rank + rope_dim`` elements of every token for all heads (MLA).

    ``nope_dim``, ``value_dim`` and ``query_rank`` (None: queries are projected at once) set the weights only.
    ``indexer_dim`` is the width of the keys that a sparse indexer keeps besides, 0 without one, ``indexer_heads`` its
    query heads.
    """

    rank: Count
    rope_dim: Count
    nope_dim: Count
    value_dim: Count
    query_rank: Count | None = None
    indexer_heads: Amount = 0
    indexer_dim: Amount = 0


class GatedDeltaNet(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind", tag="gated_delta_net"
):
    """Linear attention that keeps a matrix a value head and the last inputs of a convolution (Qwen3-Next).

    ``state_element_bytes``: 2, or 4 where the config asks for a float32 state (``mamba_ssm_dtype``).
    """

    key_heads: Count
    value_heads: Count
    key_dim: Count
    value_dim: Count
    conv_kernel: Count
    state_element_bytes: Literal[2, 4] = 2


class Mamba2(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind", tag="mamba2"):
    """A state space layer that keeps ``head_dim x state_dim`` a head and the last inputs of a convolution.

    ``state_element_bytes``: 2, or 4 where the config asks for a float32 state (``mamba_ssm_dtype``).
    """

    heads: Count
    head_dim: Count
    state_dim: Count
    groups: Count
    conv_kernel: Count
    state_element_bytes: Literal[2, 4] = 2


class RecurrentState(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind", tag="recurrent"
):
    """Any other layer that keeps ``bytes`` of a sequence, whatever its length. ``parameters``: its weights."""

    bytes: Amount
    parameters: Amount = 0


class CrossAttention(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind", tag="cross"
):
    """Keeps a key and a value, a head, of ``tokens`` tokens of something else, such as an image."""

    kv_heads: Count
    head_dim: Count
    tokens: Amount


Keeps: TypeAlias = (
    FullAttention | WindowAttention | LatentAttention | GatedDeltaNet | Mamba2 | RecurrentState | CrossAttention
)
"""What a layer keeps of a sequence."""


class LayerGroup(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """``count`` hidden layers that keep the same. Their order in the model does not matter here."""

    count: Count
    keeps: Keeps


class Experts(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The mixture layers: ``count`` routed experts in each of ``layers`` layers, ``per_token`` chosen for a token.

    ``shared_width`` is the width of all shared experts of a layer together, 0 without any. ``input_size`` is the width
    of what the routed experts read and write, None where it is ``hidden_size``: a latent mixture projects down to it
    and up again (Nemotron 3 Super, Kimi K3).
    """

    layers: Count
    count: Count
    per_token: Count
    intermediate_size: Count
    shared_width: Amount = 0
    input_size: Count | None = None


class Shape(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The widths of a model. Names are those of ``config.json`` where it has one.

    ``architecture`` is its ``model_type`` (of the text part's wrapper for models with images). ``intermediate_size``
    is the width of a dense MLP; ``dense_layers`` how many layers have one (None: those that are no mixture).
    ``max_position_embeddings`` is without a rope factor applied on top; None: not established. ``vision_params``
    counts the image encoder and its projector, ``mtp_params`` the multi-token-prediction layers, which are in the
    files and not loaded for plain decoding. ``rope_rows``: rows of all tables of rotary positions together, where
    they are not ``max_position_embeddings``: more with linear scaling, 0 without rotary positions.
    ``layer_embedding_width`` (``hidden_size_per_layer_input``): elements a layer of each row of a second embedding,
    which has ``layer_embedding_rows`` (``vocab_size_per_layer_input``; None: ``vocab_size``); 0 without one.
    """

    architecture: str
    hidden_size: Count
    intermediate_size: Amount
    num_attention_heads: Count
    vocab_size: Count
    tie_word_embeddings: bool
    max_position_embeddings: Count | None
    layers: tuple[LayerGroup, ...]
    experts: Experts | None = None
    dense_layers: Amount | None = None
    vision_params: Amount = 0
    mtp_params: Amount = 0
    rope_rows: Amount | None = None
    layer_embedding_width: Amount = 0
    layer_embedding_rows: Count | None = None

    @property
    def num_hidden_layers(self) -> int:
        """Layers of all groups."""
        return sum(group.count for group in self.layers)


Method: TypeAlias = Literal["fp8", "int8", "int4", "mxfp4", "nvfp4"]

LinearRole: TypeAlias = Literal[
    "attention",
    "kv_projections",
    "latent_projections",
    "recurrent",
    "dense_mlp",
    "routed_experts",
    "shared_experts",
    "mtp",
]
"""The roles of `ParameterCounts` that are linear layers."""


class LeftOut(Struct, frozen=True, forbid_unknown_fields=True):
    """A role of which a quantized checkpoint has the ``share`` (of its layers or projections) in 16 bit."""

    role: LinearRole
    share: Annotated[float, Meta(gt=0, le=1)]


class Quantization(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the published weights are quantized.

    ``covers``: the linear layers (without embedding, head, routers, image encoder), or their MLPs only, dense and
    experts, or the routed experts only. ``group``: elements that share one scale; None: a channel or the whole tensor.
    ``scale_bits``: bits that belong to a group beside its elements; None: what the method has by itself, which is a
    float32 in fp8, a 16-bit scale and a 4-bit zero point in int4, 8 in mxfp4 and nvfp4. ``left_out``: what of the
    layers that it covers is in 16 bit all the same.
    """

    method: Method
    covers: Literal["linear", "mlp", "experts"] = "linear"
    group: Count | None = None
    scale_bits: Count | None = None
    left_out: tuple[LeftOut, ...] = ()


class Checkpoint(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The published files. ``dtype`` is of what is not quantized; ``bytes`` of all tensors, without file headers.

    The bytes include what is stored and not loaded: multi-token-prediction layers, a second copy of a tied head.
    None: not established.
    """

    dtype: Literal["bfloat16", "float16", "float32"]
    quantization: Quantization | None = None
    bytes: Amount | None = None


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """Where facts are from: ``says`` names them (``shape``, ``total_params``, ``checkpoint`` or a field's name).

    ``how``: read in a stored public file, derived from such values, or known otherwise.
    """

    says: str
    where: str
    how: Literal["read", "derived", "known"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterCounts:
    """Stored elements by role, each element in one role; all experts, a tied head once."""

    embedding: int = 0
    """The input embedding; it is the output head, too, where the two are tied."""

    head: int = 0
    """The output head; 0 when it is the embedding."""

    layer_embeddings: int = 0
    """A second embedding that has something of each word for each layer; not quantized."""

    norms: int = 0
    """Norms, sinks and other vectors of small size, on every rank of tensor parallelism."""

    attention: int = 0
    """Query and output projections and all else of attention that is divided by heads."""

    kv_projections: int = 0
    """Key and value projections: a rank holds at least one KV head of them."""

    latent_projections: int = 0
    """Down projections of latent attention and its indexer, and those of the layers' own embeddings: on every rank, as
    nothing in them belongs to a head."""

    recurrent: int = 0
    """Projections and convolutions of linear attention and state space layers."""

    dense_mlp: int = 0
    """MLPs of the layers that are no mixture."""

    routed_experts: int = 0
    """All routed experts of all mixture layers."""

    shared_experts: int = 0
    """Experts every token goes through, and their gates."""

    routers: int = 0
    """What chooses the experts; not quantized, on every rank."""

    vision: int = 0
    """Image encoder and projector; not quantized."""

    mtp: int = 0
    """Multi-token-prediction layers: in the files, not in memory for plain decoding."""

    other: int = 0
    """What the published total has beyond the roles: in memory, on every rank, not quantized."""

    @property
    def total(self) -> int:
        """Every stored element."""
        return sum(getattr(self, field.name) for field in fields(self))

    @property
    def loaded(self) -> int:
        """Those that plain decoding loads."""
        return self.total - self.mtp


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model. ``same_as`` names the sibling whose shape it has, "" for a shape of its own."""

    model_id: str
    shape: Shape
    parameters: ParameterCounts
    checkpoint: Checkpoint
    sources: tuple[Source, ...] = ()
    same_as: str = ""

    @property
    def layers(self) -> tuple[LayerGroup, ...]:
        """The shape's groups of layers."""
        return self.shape.layers

    @property
    def total_params(self) -> int:
        """Every stored element, all experts included."""
        return self.parameters.total

    @property
    def active_params(self) -> int:
        """Parameters that one token goes through, without image encoder. Never what has to be in memory."""
        counts = self.parameters
        idle = 0
        if self.shape.experts is not None:
            experts = self.shape.experts
            idle = counts.routed_experts * (experts.count - experts.per_token) // experts.count
        return counts.loaded - counts.vision - idle
