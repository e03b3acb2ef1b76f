"""Checkpoints that are headers alone: what a directory with safetensors files shows of a model."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from controller.sizing.facts import ModelFacts
from controller.sizing.hugging_face_config import facts_of_config
from controller.sizing.safetensors import BITS, parse_header
from controller.sizing.tensor_roles import TensorTally

Tensors = Mapping[str, tuple[str, Sequence[int]]]
"""Type and shape of each tensor by name."""


def small_model(layers: int = 2, hidden: int = 64, dtype: str = "BF16") -> dict[str, tuple[str, list[int]]]:
    """A decoder of Llama's names: 4 query and 2 KV heads of 16, an MLP 96 wide, 1000 words."""
    tensors = {
        "model.embed_tokens.weight": (dtype, [1000, hidden]),
        "model.norm.weight": (dtype, [hidden]),
        "lm_head.weight": (dtype, [1000, hidden]),
    }
    for layer in range(layers):
        shapes = {
            "self_attn.q_proj": [64, hidden],
            "self_attn.k_proj": [32, hidden],
            "self_attn.v_proj": [32, hidden],
            "self_attn.o_proj": [hidden, 64],
            "mlp.gate_proj": [96, hidden],
            "mlp.up_proj": [96, hidden],
            "mlp.down_proj": [hidden, 96],
            "input_layernorm": [hidden],
            "post_attention_layernorm": [hidden],
        }
        tensors |= {f"model.layers.{layer}.{name}.weight": (dtype, shape) for name, shape in shapes.items()}
    return tensors


SMALL_CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 1000,
    "max_position_embeddings": 2048,
    "torch_dtype": "bfloat16",
}
"""The config.json of `small_model()`."""


def header_of(tensors: Tensors) -> tuple[bytes, int]:
    """The header of a file with these tensors one behind the other, and the bytes they take."""
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    reached = 0
    for name, (dtype, shape) in tensors.items():
        elements = 1
        for side in shape:
            elements *= side
        end = reached + elements * BITS[dtype] // 8
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [reached, end]}
        reached = end
    return json.dumps(entries).encode(), reached


def write_safetensors(file: Path, tensors: Tensors) -> None:
    """Write a file of the right size whose tensors are holes: it takes no room on disk."""
    header, size = header_of(tensors)
    with file.open("wb") as out:
        out.write(len(header).to_bytes(8, "little") + header)
        out.truncate(8 + len(header) + size)


def tally_of(tensors: Tensors) -> TensorTally:
    """The tensors of a checkpoint in one file, counted."""
    header, size = header_of(tensors)
    tally = TensorTally()
    tally.add(parse_header(header, "model.safetensors", size))
    return tally


def small_facts(**changed: Any) -> ModelFacts:
    """The facts of `small_model()` from its config.json with fields changed."""
    return facts_of_config(json.dumps(SMALL_CONFIG | changed).encode(), "config.json", "x")


def packed_model(bits: int) -> Tensors:
    """The small model as GPTQ stores it: matrices turned, packed into integers, with scales a group of 32."""
    found: dict[str, tuple[str, Sequence[int]]] = {}
    for name, (dtype, shape) in small_model().items():
        if "_proj" not in name:
            found[name] = (dtype, shape)
            continue
        given, taken = shape
        stem = name.removesuffix("weight")
        found |= {
            f"{stem}qweight": ("I32", [taken * bits // 32, given]),
            f"{stem}scales": ("F16", [taken // 32, given]),
        }
    return found


def nvfp4_model() -> Tensors:
    """The small model as ModelOpt stores it in four-bit floats: two in a byte, a byte for 16, a number a tensor."""
    found: dict[str, tuple[str, Sequence[int]]] = {}
    for name, (dtype, shape) in small_model().items():
        if "_proj" not in name:
            found[name] = (dtype, shape)
            continue
        given, taken = shape
        found |= {
            name: ("U8", [given, taken // 2]),
            f"{name}_scale": ("F8_E4M3", [given, taken // 16]),
            f"{name}_scale_2": ("F32", []),
            f"{name.removesuffix('weight')}input_scale": ("F32", []),
        }
    return found
