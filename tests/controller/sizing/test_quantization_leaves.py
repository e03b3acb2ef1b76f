from collections.abc import Sequence

import pytest

from controller.sizing.facts import LinearRole
from controller.sizing.quantization_leaves import left_out, present_roles
from tests.builders.model_config import facts_of

LEFT: dict[str, tuple[str, Sequence[str], dict[str, float]]] = {
    "nothing but what is in 16 bit anyway": (
        "qwen3_moe",
        ["lm_head", "model.embed_tokens", "model.layers.3.mlp.gate", "re:.*vision_tower.*", "model.norm"],
        {},
    ),
    "attention by a pattern": ("llama", ["re:.*self_attn.*"], {"attention": 1, "kv_projections": 1}),
    "a projection in some layers": (
        "llama",
        [f"model.layers.{layer}.self_attn.o_proj" for layer in range(16)],
        {"attention": 0.25},
    ),
    "a whole layer": (
        "llama",
        ["model.layers.1.*"],
        dict.fromkeys(("attention", "kv_projections", "dense_mlp"), 1 / 32),
    ),
    "a whole MLP of a mixture": ("mixtral", ["model.layers.0.mlp*"], {"routed_experts": 1 / 32}),
    "the MLP that stands beside Gemma's experts": ("gemma4_moe", ["*.mlp*"], {"dense_mlp": 1}),
    "a shared expert, not its gate": (
        "qwen3_5_moe",
        ["*.mlp.shared_expert.*", "model.layers.0.mlp.shared_expert_gate"],
        {"shared_experts": 1},
    ),
    "a dense layer before the mixtures": (
        "deepseek_v3",
        ["model.layers.0*"],
        {"attention": 1 / 61, "latent_projections": 1 / 61, "dense_mlp": 1 / 3},
    ),
    "the layer that predicts further tokens": ("deepseek_v3", ["model.layers.61*", "mtp.layers.0*"], {"mtp": 1}),
    "state space layers": ("nemotron_h", ["backbone.layers.4.mixer.in_proj"], {"recurrent": 1 / 23}),
    "delta attention, which is called attention": (
        "kimi_linear",
        ["re:.*self_attn.*"],
        {"attention": 1, "latent_projections": 1, "recurrent": 1},
    ),
}


@pytest.mark.parametrize(("name", "names", "want"), LEFT.values(), ids=LEFT)
def test_names_are_taken_for_the_layers_they_mean(name: str, names: Sequence[str], want: dict[str, float]) -> None:
    shares = {each.role: each.share for each in left_out(names, facts_of(name).shape)}
    assert shares == pytest.approx(want, abs=1e-5)


def test_projections_of_latent_attention_have_their_own_width() -> None:
    shape = facts_of("deepseek_v3").shape
    (queries,) = left_out(["re:.*q_b_proj"], shape)
    assert queries.share == pytest.approx(1536 * 192 / (1536 * 192 + 512 * 256 + 128 * 7168), abs=1e-5)
    every = left_out(["re:.*q_b_proj", "re:.*kv_b_proj", "re:.*o_proj"], shape)
    assert [(each.role, each.share) for each in every] == [("attention", 1)]


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("llama", {"attention", "kv_projections", "dense_mlp"}),
        ("minimax_m2", {"attention", "kv_projections", "routed_experts"}),
    ],
)
def test_a_model_has_the_roles_of_its_layers(name: str, want: set[LinearRole]) -> None:
    assert present_roles(facts_of(name).shape) == want
