import pytest

from controller.sizing.safetensors import StoredTensor
from controller.sizing.tensor_roles import Role, TensorTally, role_of

NAMES = {
    "model.embed_tokens.weight": Role.EMBEDDING,
    "transformer.wte.weight": Role.EMBEDDING,
    "lm_head.weight": Role.HEAD,
    "model.layers.0.self_attn.q_proj.weight": Role.ATTENTION,
    "model.layers.0.self_attn.k_proj.weight": Role.KV_PROJECTIONS,
    "model.layers.0.self_attn.k_norm.weight": Role.NORMS,
    "model.layers.0.self_attn.sinks": Role.NORMS,
    "model.layers.3.self_attn.kv_a_proj_with_mqa.weight": Role.LATENT_PROJECTIONS,
    "model.layers.3.mlp.gate_proj.weight": Role.DENSE_MLP,
    "model.layers.3.mlp.gate.weight": Role.ROUTERS,
    "model.layers.3.mlp.gate.e_score_correction_bias": Role.ROUTERS,
    "model.layers.3.block_sparse_moe.experts.7.w1.weight": Role.ROUTED_EXPERTS,
    "model.layers.3.mlp.experts.gate_up_proj_blocks": Role.ROUTED_EXPERTS,
    "model.layers.3.mlp.experts.gate_up_proj_scales": Role.SCALES,
    "model.layers.3.mlp.shared_experts.up_proj.weight": Role.SHARED_EXPERTS,
    "model.layers.3.mlp.experts.0.up_proj.weight_scale_inv": Role.SCALES,
    "model.layers.0.self_attn.q_proj.qzeros": Role.SCALES,
    "model.layers.1.linear_attn.in_proj_qkvz.weight": Role.RECURRENT,
    "model.layers.61.eh_proj.weight": Role.MTP,
    "mtp.layers.0.mlp.up_proj.weight": Role.MTP,
    "vision_tower.encoder.layers.0.self_attn.k_proj.weight": Role.VISION,
    "multi_modal_projector.linear_1.weight": Role.VISION,
    "something.else": Role.OTHER,
}


@pytest.mark.parametrize(("name", "role"), NAMES.items(), ids=NAMES)
def test_a_tensors_name_tells_its_role(name: str, role: Role) -> None:
    assert role_of(name) is role


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("model.layers.12.mlp.experts.3.up_proj.weight", ("model.layers.*.mlp.experts.*.up_proj.weight", 12)),
        ("model.layers.7.input_layernorm.weight", ("model.layers.*.input_layernorm.weight", 7)),
        ("h.3.attn.c_attn.weight", ("h.*.attn.c_attn.weight", 3)),
        ("vision.blocks.1.layers.2.weight", ("vision.blocks.*.layers.*.weight", 1)),
        ("model.tower.4.norm.weight", ("model.tower.*.norm.weight", -1)),
        ("a.1.2.b", ("a.*.*.b", -1)),
        ("model.layers.1", ("model.layers.1", -1)),
        ("linear_1.weight", ("linear_1.weight", -1)),
        ("a.1234567.b", ("a.1234567.b", -1)),
        ("", ("", -1)),
    ],
)
def test_numbers_are_taken_out_of_a_name_and_the_first_layers_is_kept(name: str, want: tuple[str, int]) -> None:
    tally = TensorTally()
    tally.add([StoredTensor(name, "BF16", (8, 4), 64)])
    assert [(kind.name, kind.layer) for kind, _ in tally.items()] == [want]


def test_what_is_added_later_counts_as_well() -> None:
    tally = TensorTally()
    for _ in range(2):
        tally.add([StoredTensor("lm_head.weight", "BF16", (8, 4), 64)])
        assert tally.bytes == 64 * tally.tensors


def test_experts_of_a_layer_are_counted_together_and_layers_apart() -> None:
    tally = TensorTally()
    tally.add(
        StoredTensor(f"model.layers.{layer}.mlp.experts.{expert}.up_proj.weight", "BF16", (8, 4), 64)
        for layer in range(2)
        for expert in range(16)
    )
    assert sorted((kind.layer, count) for kind, count in tally.items()) == [(0, 16), (1, 16)]
    assert (tally.tensors, tally.bytes) == (32, 32 * 64)
