"""Nemotron-H: each hidden layer is one thing, attention, state space (Mamba 2), MLP or mixture, behind one norm.

Which one is told by a letter a layer (``hybrid_override_pattern``) or by name (``layers_block_type``, also with the
names of newer releases). Fields and defaults are those of ``NemotronHConfig`` in huggingface/transformers.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from controller.sizing.config_fields import ConfigFields
from controller.sizing.facts import Experts, FullAttention, LayerGroup, Mamba2, RecurrentState, Shape
from controller.sizing.parameters import Tensors, count_parameters

_REMEDY: Final = "take the config.json of the model itself"
_MOST_LAYERS: Final = 10_000

_LETTERS: Final[Mapping[str, str]] = MappingProxyType({"M": "mamba", "*": "full_attention", "-": "mlp", "E": "moe"})
_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {kind: kind for kind in _LETTERS.values()} | {"attention": "full_attention", "linear_attention": "mamba"}
)


def block_kinds(config: ConfigFields) -> Sequence[str]:
    """The kind of each layer: ``mamba``, ``full_attention``, ``mlp`` or ``moe``. Raises ModelFileError."""
    kinds = _kinds(config, "hybrid_override_pattern", "layers_block_type")
    if kinds is None:
        raise config.missing("hybrid_override_pattern")
    layers = config.optional("num_hidden_layers", least=1)
    if layers is not None and layers != len(kinds):
        problem = f"contradicts the pattern of layers, which has {len(kinds)}"
        raise config.problem("num_hidden_layers", problem, _REMEDY)
    return kinds


def mamba2(config: ConfigFields) -> Mamba2:
    """What a state space layer keeps. Raises ModelFileError for biases, which no published model has."""
    for name in ("use_bias", "mamba_proj_bias"):
        if config.flag(name):
            raise config.problem(name, "means tensors that are not known here", _REMEDY)
    if not config.flag("use_conv_bias", default=True):
        raise config.problem("use_conv_bias", "means tensors that are not known here", _REMEDY)
    return Mamba2(
        heads=config.number("mamba_num_heads", most=65_536),
        head_dim=config.number("mamba_head_dim", most=65_536),
        state_dim=config.number("ssm_state_size", most=65_536),
        groups=config.assumed_number("n_groups", 8, most=65_536),
        conv_kernel=config.assumed_number("conv_kernel", 4, most=1024),
        state_element_bytes=4 if config.assumed_text("mamba_ssm_cache_dtype", "float32") == "float32" else 2,
    )


def block_experts(config: ConfigFields) -> Experts | None:
    """The mixture of the ``moe`` layers, None without. A dense one's file may have a count of experts all the same."""
    layers = block_kinds(config).count("moe")
    if not layers:
        return None
    count, chosen = config.number("n_routed_experts"), config.number("num_experts_per_tok")
    if chosen > count:
        raise config.problem(
            "num_experts_per_tok", f"is more than the {count} experts there are", "correct one of them"
        )
    shared = config.number("n_shared_experts", default=1, least=0, most=1024)
    return Experts(
        layers=layers,
        count=count,
        per_token=chosen,
        intermediate_size=config.number("moe_intermediate_size"),
        shared_width=shared * config.number("moe_shared_expert_intermediate_size") if shared else 0,
        input_size=config.optional("moe_latent_size", least=1),
    )


def prediction_parameters(config: ConfigFields, shape: Shape, tensors: Tensors) -> int:
    """Elements of the multi-token-prediction layers that the files have.

    Each is a row of blocks with a norm each, a projection that joins two hidden states, and three norms. So counted,
    Nemotron 3 Super and Ultra have the published number.
    """
    modules = config.number("num_nextn_predict_layers", default=0, least=0, most=100)
    kinds = _kinds(config, "mtp_hybrid_override_pattern", "mtp_layers_block_type") or ["full_attention", "moe"]
    if not modules:
        return 0
    counts = count_parameters(_of_blocks(kinds, shape), tensors)
    blocks = counts.attention + counts.kv_projections + counts.recurrent + counts.dense_mlp
    mixtures = counts.routed_experts + counts.shared_experts + counts.routers
    joined = 2 * shape.hidden_size**2 + (len(kinds) + 3) * shape.hidden_size
    return modules * (blocks + mixtures + joined)


def _of_blocks(kinds: Sequence[str], shape: Shape) -> Shape:
    """The shape with these layers only."""
    full = next((group.keeps for group in shape.layers if isinstance(group.keeps, FullAttention)), RecurrentState(0))
    state = next((group.keeps for group in shape.layers if isinstance(group.keeps, Mamba2)), RecurrentState(0))
    keeps = {"full_attention": full, "mamba": state, "mlp": RecurrentState(0), "moe": RecurrentState(0)}
    mixtures = kinds.count("moe")
    experts = msgspec.structs.replace(shape.experts, layers=mixtures) if shape.experts and mixtures else None
    groups = tuple(LayerGroup(1, keeps[kind]) for kind in kinds)
    return msgspec.structs.replace(shape, layers=groups, experts=experts, dense_layers=kinds.count("mlp"))


def _kinds(config: ConfigFields, letters: str, names: str) -> Sequence[str] | None:
    """The kinds that one of two fields tells, None where neither is there."""
    field, known = letters, _LETTERS
    told: Sequence[str] = config.text(letters)
    if not told:
        field, known, told = names, _NAMES, config.texts(names) or ()
    if not told:
        return None
    if len(told) > _MOST_LAYERS:
        raise config.problem(field, f"names {len(told)} layers", _REMEDY)
    for kind in told:
        if kind not in known:
            raise config.problem(field, f"has {kind[:20]!r}, a kind of layer that is not known here", _REMEDY)
    return [known[kind] for kind in told]
