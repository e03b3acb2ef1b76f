from typing import Any

import pytest

from controller.sizing.facts import LeftOut, Quantization
from controller.sizing.model_file_errors import ModelFileError
from tests.builders.model_config import facts_of


def _weights(**fields: Any) -> dict[str, Any]:
    return {"group_0": {"weights": fields, "targets": ["Linear"]}}


READ: dict[str, tuple[dict[str, Any], Quantization]] = {
    "fp8 in blocks": (
        {"quant_method": "fp8", "weight_block_size": [128, 128]},
        Quantization(method="fp8", group=16384),
    ),
    "fp8 of FBGEMM": (
        {"quant_method": "fbgemm_fp8", "modules_to_not_convert": ["model.layers.0.self_attn.q_proj"]},
        Quantization(method="fp8", left_out=(LeftOut("attention", 1 / 64),)),
    ),
    "GPTQ": ({"quant_method": "gptq", "bits": 4, "group_size": 64}, Quantization(method="int4", group=64)),
    "GPTQ a channel": ({"quant_method": "gptq", "bits": 8, "group_size": -1}, Quantization(method="int8")),
    "AWQ": ({"quant_method": "awq", "w_bit": 4, "q_group_size": 128}, Quantization(method="int4", group=128)),
    "AutoRound": ({"quant_method": "auto-round", "bits": 4, "group_size": 128}, Quantization(method="int4", group=128)),
    "bitsandbytes": (
        {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_use_double_quant": True},
        Quantization(method="int4", group=64, scale_bits=9),
    ),
    "bitsandbytes in 8 bit": ({"quant_method": "bitsandbytes", "load_in_8bit": True}, Quantization(method="int8")),
    "compressed-tensors w8a8": (
        {
            "quant_method": "compressed-tensors",
            "config_groups": _weights(num_bits=8, type="int"),
            "ignore": ["lm_head"],
        },
        Quantization(method="int8"),
    ),
    "compressed-tensors fp8": (
        {"quant_method": "compressed-tensors", "config_groups": _weights(num_bits=8, type="float")},
        Quantization(method="fp8"),
    ),
    "compressed-tensors w4a16 of MLPs": (
        {
            "quant_method": "compressed-tensors",
            "config_groups": _weights(num_bits=4, type="int", group_size=32, symmetric=True),
            "ignore": ["lm_head", "re:.*self_attn.*", "re:.*shared_experts.*"],
        },
        Quantization(method="int4", covers="mlp", group=32, scale_bits=16),
    ),
    "mxfp4": ({"quant_method": "mxfp4"}, Quantization(method="mxfp4", covers="experts", group=32)),
    "Quark": (
        {"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "fp8_e4m3"}}},
        Quantization(method="fp8"),
    ),
    "ModelOpt": ({"quant_algo": "FP8"}, Quantization(method="fp8")),
    "nvfp4 of ModelOpt": (
        {"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head", "model.layers.0*"]},
        Quantization(
            method="nvfp4",
            group=16,
            left_out=tuple(LeftOut(role, 1 / 32) for role in ("attention", "dense_mlp", "kv_projections")),
        ),
    ),
    "nvfp4 of compressed-tensors": (
        {
            "quant_method": "compressed-tensors",
            "format": "nvfp4-pack-quantized",
            "config_groups": _weights(num_bits=4, type="float", group_size=16),
        },
        Quantization(method="nvfp4", group=16),
    ),
}


@pytest.mark.parametrize(("config", "want"), READ.values(), ids=READ)
def test_each_tools_dialect_is_read(config: dict[str, Any], want: Quantization) -> None:
    assert facts_of("llama", quantization_config=config).checkpoint.quantization == want


def test_a_nested_configuration_tells_it_as_well() -> None:
    nested = {**_fields_of_text(), "quantization_config": {"quant_method": "fp8"}}
    assert facts_of("gemma3", text_config=nested).checkpoint.quantization == Quantization(method="fp8")


def _fields_of_text() -> dict[str, Any]:
    return {
        "model_type": "gemma3_text",
        "hidden_size": 2560,
        "intermediate_size": 10240,
        "num_hidden_layers": 34,
        "sliding_window": 1024,
    }


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown tool": ({"quant_method": "aqlm"}, "quantization_config.quant_method 'aqlm' is a quantization that is"),
    "three bits": ({"quant_method": "gptq", "bits": 3}, "quantization_config.bits 3 is a width"),
    "four-bit floats of no named format": (
        {"quant_method": "compressed-tensors", "config_groups": _weights(num_bits=4, type="float")},
        "config_groups.group_0.weights.num_bits 4 of type 'float' is not known",
    ),
    "another precision in each layer": (
        {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"},
        "quant_algo 'MIXED_PRECISION' has another precision in each layer",
    ),
    "no groups": ({"quant_method": "compressed-tensors"}, "config_groups is missing"),
    "no width": ({"quant_method": "bitsandbytes"}, "load_in_4bit and load_in_8bit are both not set"),
    "groups by the thousand": (
        {"quant_method": "compressed-tensors", "config_groups": {str(i): {} for i in range(1000)}},
        "has 1000 entries",
    ),
}


@pytest.mark.parametrize(("config", "message"), REFUSED.values(), ids=REFUSED)
def test_a_quantization_that_is_not_offered_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        facts_of("llama", quantization_config=config)
