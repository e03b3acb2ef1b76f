from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.sizing.catalog import Catalog
from controller.sizing.errors import UnsupportedPrecision
from controller.sizing.facts import (
    CrossAttention,
    FullAttention,
    GatedDeltaNet,
    Keeps,
    LatentAttention,
    LayerGroup,
    Mamba2,
    RecurrentState,
    WindowAttention,
)
from controller.sizing.precision import Precision
from controller.sizing.requirement import SizingRequest, estimate_model_size
from controller.translate.model_profile import InvalidFacts, offered, profiled_model, unexplained_percent
from tests.builders.model_profile import profile_object


def keeps(**architecture: Any) -> tuple[LayerGroup, ...]:
    return profiled_model(profile_object(architecture=architecture)).facts.layers


def test_the_facts_of_a_catalogues_model_are_the_catalogues() -> None:
    mine, known = profiled_model(profile_object()).facts, Catalog.bundled().get("Qwen/Qwen3-8B")
    assert (mine.model_id, mine.layers, mine.parameters) == ("acme/chat-8b", known.layers, known.parameters)
    asked = SizingRequest("any", Precision.FP8, 4096, 4)
    assert estimate_model_size(mine, asked).total_bytes == estimate_model_size(known, asked).total_bytes


@pytest.mark.parametrize(
    ("architecture", "want"),
    [
        pytest.param({}, [(36, FullAttention(kv_heads=8, head_dim=128))], id="all alike"),
        pytest.param(
            {"slidingWindow": 1024, "fullAttentionLayers": 6},
            [
                (6, FullAttention(kv_heads=8, head_dim=128)),
                (30, WindowAttention(kv_heads=8, head_dim=128, window=1024)),
            ],
            id="some with a window",
        ),
        pytest.param(
            {"slidingWindow": 1024, "fullAttentionLayers": 0},
            [(36, WindowAttention(kv_heads=8, head_dim=128, window=1024))],
            id="all with a window",
        ),
        pytest.param(
            {"slidingWindow": 1024},
            [(36, FullAttention(kv_heads=8, head_dim=128))],
            id="a window that no layer is said to have",
        ),
        pytest.param(
            {"kvLoraRank": 512, "qkRopeHeadDim": 64, "headDim": 192},
            [(36, LatentAttention(rank=512, rope_dim=64, nope_dim=128, value_dim=128))],
            id="latent",
        ),
    ],
)
def test_what_layers_keep_by_the_flat_fields(architecture: dict[str, Any], want: list[tuple[int, Keeps]]) -> None:
    assert [(group.count, group.keeps) for group in keeps(**architecture)] == want


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        pytest.param({"kvHeads": 5}, "attentionHeads 32 is refused .* of kvHeads 5.: check num_att", id="heads"),
        pytest.param(
            {"experts": {"layers": 36, "count": 8, "perToken": 20, "intermediateSize": 64}},
            "experts.perToken 20 is refused .perToken 20 is larger than count 8.: give the experts",
            id="more experts a token than there are",
        ),
    ],
)
def test_what_the_api_server_would_refuse_is_refused_without_one(changes: dict[str, Any], want: str) -> None:
    with pytest.raises(InvalidFacts, match=want):
        profiled_model(profile_object(architecture=changes))


GROUPS: list[tuple[dict[str, Any], Keeps]] = [
    ({"full": {"kvHeads": 4, "headDim": 512, "keysAreValues": True}}, FullAttention(4, 512, None, True)),
    ({"window": {"kvHeads": 8, "headDim": 64, "window": 128, "chunked": True}}, WindowAttention(8, 64, 128, True)),
    (
        {
            "latent": {
                "kvLoraRank": 512,
                "qkRopeHeadDim": 64,
                "qkNopeHeadDim": 128,
                "vHeadDim": 96,
                "qLoraRank": 1536,
                "indexerHeads": 64,
                "indexerDim": 128,
            }
        },
        LatentAttention(512, 64, 128, 96, 1536, 64, 128),
    ),
    (
        {"gatedDeltaNet": {"keyHeads": 16, "valueHeads": 32, "keyDim": 128, "valueDim": 64, "convKernel": 4}},
        GatedDeltaNet(16, 32, 128, 64, 4),
    ),
    (
        {"mamba2": {"heads": 128, "headDim": 64, "stateDim": 256, "groups": 8, "convKernel": 4}},
        Mamba2(128, 64, 256, 8, 4),
    ),
    ({"recurrent": {"stateBytes": 4096, "params": 7}}, RecurrentState(4096, 7)),
    ({"cross": {"kvHeads": 8, "headDim": 128, "tokens": 6404}}, CrossAttention(8, 128, 6404)),
]


@pytest.mark.parametrize(("group", "want"), GROUPS, ids=[next(iter(group)) for group, _ in GROUPS])
def test_what_layers_keep_by_their_groups(group: dict[str, Any], want: Keeps) -> None:
    rest = {"layers": 35, "full": {"kvHeads": 8, "headDim": 128}}
    found = keeps(layerGroups=[{"layers": 1, **group}, rest], totalParams=10**13, kvHeads=None, headDim=None)
    assert [(group.count, group.keeps) for group in found] == [(1, want), (35, FullAttention(8, 128))]


def test_experts_encoder_prediction_layers_and_quantization_count() -> None:
    experts = {"layers": 30, "count": 64, "perToken": 4, "intermediateSize": 1024, "sharedWidth": 2048}
    facts = profiled_model(
        profile_object(
            architecture={
                "totalParams": 10**11,
                "experts": experts,
                "denseLayers": 6,
                "visionParams": 5,
                "mtpParams": 7,
                "quantization": {"method": "mxfp4", "covers": "experts", "group": 32},
                "checkpointBytes": 9,
            },
        )
    ).facts
    assert facts.shape.experts is not None
    assert (facts.shape.experts.count, facts.shape.experts.shared_width, facts.shape.dense_layers) == (64, 2048, 6)
    assert (facts.parameters.vision, facts.parameters.mtp, facts.total_params) == (5, 7, 10**11)
    assert facts.checkpoint.quantization is not None
    assert (facts.checkpoint.quantization.method, facts.checkpoint.bytes) == ("mxfp4", 9)


@pytest.mark.parametrize(
    ("fields", "want_words"),
    [
        pytest.param(
            {"architecture": {"totalParams": 4 * 10**9}},
            ["spec.architecture.totalParams", "4000000000", "a model of this shape has", "correct the total"],
            id="fewer parameters than the shape has",
        ),
        pytest.param(
            {"precisions": ["mxfp4"]},
            ["spec.precisions", "mxfp4", "published in bf16", "leave precisions out"],
            id="a precision that such weights are never in",
        ),
        pytest.param(
            {"architecture": {"kvHeads": None}}, ["kvHeads", "or layerGroups"], id="no word of what layers keep"
        ),
        pytest.param(
            {"architecture": {"fullAttentionLayers": 6}}, ["fullAttentionLayers", "6", "slidingWindow"], id="no window"
        ),
        pytest.param({"architecture": {"kvLoraRank": 512}}, ["kvLoraRank", "qkRopeHeadDim"], id="half of latent"),
        pytest.param(
            {"architecture": {"layerGroups": [{"layers": 36}]}}, ["layerGroups", "set exactly one"], id="none"
        ),
    ],
)
def test_facts_that_contradict_one_another_name_field_value_and_remedy(
    fields: dict[str, Any], want_words: list[str]
) -> None:
    with pytest.raises(InvalidFacts) as caught:
        profiled_model(profile_object(**fields))
    assert all(word in str(caught.value) for word in want_words), str(caught.value)


def test_parameters_that_the_shape_does_not_explain_are_told() -> None:
    assert unexplained_percent(profiled_model(profile_object()).facts) == 0
    assert (
        unexplained_percent(profiled_model(profile_object(architecture={"totalParams": 2 * 8_190_735_360})).facts) == 50
    )


@pytest.mark.parametrize(
    ("precisions", "asked", "refused"),
    [
        pytest.param([], "auto", False, id="the published one"),
        pytest.param([], "bf16", False, id="the published one by its name"),
        pytest.param([], "fp8", True, id="one that nobody offers"),
        pytest.param(["fp8", "int4"], "fp8", False, id="one that is offered"),
        pytest.param(["fp8", "int4"], "bf16", True, id="the published one, which is not offered"),
    ],
)
def test_which_precisions_may_be_asked_for(precisions: list[str], asked: str, refused: bool) -> None:
    model = profiled_model(profile_object(precisions=precisions))
    if not refused:
        return model.refuse(Precision(asked))
    with pytest.raises(UnsupportedPrecision, match=f"'{asked}' is not available for acme/chat-8b"):
        model.refuse(Precision(asked))
    return None


def test_weights_in_float32_are_offered_in_16_bit_and_served_in_32_when_asked() -> None:
    model = profiled_model(profile_object(architecture={"nativeDtype": "float32"}))
    assert offered(model) == (Precision.BF16,)
    model.refuse(Precision.FP32)


def test_given_figures_stand_in_for_computed_ones() -> None:
    given = {"weightsBytes": 1000, "kvBytesPerToken": 10, "overheadBytes": 50}
    model = profiled_model(profile_object(precisions=["fp8", "bf16"], overrides=given))
    sizing = model.given(estimate_model_size(model.facts, SizingRequest("any", Precision.BF16, 100, 2)))
    assert (sizing.weights_bytes, sizing.kv_cache_bytes, sizing.overhead_bytes) == (1000, 2000, 50)
    assert sizing.total_bytes == 3050
    halves = model.given(
        estimate_model_size(model.facts, SizingRequest("any", Precision.BF16, 100, 2, tensor_parallel=2))
    )
    assert (halves.weights_bytes, halves.kv_bytes_per_token, halves.overhead_bytes) == (500, 5, 50)


def test_given_weights_are_those_of_the_published_precision() -> None:
    model = profiled_model(profile_object(precisions=["fp8"], overrides={"weightsBytes": 1000}))
    computed = estimate_model_size(model.facts, SizingRequest("any", Precision.FP8))
    assert model.given(computed).weights_bytes == computed.weights_bytes
    assert model.given(computed) == computed


WIDTHS = {"kvHeads": 100_000, "headDim": 100_000, "keysAreValues": True}
DRAWN = st.fixed_dictionaries(
    {
        "totalParams": st.integers(10**9, 2**63 - 1),
        "hiddenSize": st.integers(1, 10**9),
        "vocabSize": st.integers(1, 10**9),
        "intermediateSize": st.integers(1, 10**9),
        "attentionHeads": st.integers(1, 100_000),
        "maxPositionEmbeddings": st.integers(1, 10**9),
    },
    optional={
        "layerGroups": st.sampled_from(
            [[{"layers": 36, "full": WIDTHS}], [{"layers": 36, "recurrent": {"stateBytes": 2**62}}]]
        ),
        "quantization": st.sampled_from([{"method": "fp8"}, {"method": "mxfp4", "covers": "experts", "group": 32}]),
        "checkpointBytes": st.integers(0, 2**63 - 1),
        "experts": st.just({"layers": 36, "count": 100_000, "perToken": 1, "intermediateSize": 10**9}),
    },
)


@given(architecture=DRAWN)
@settings(max_examples=200, deadline=None)
def test_whatever_the_schema_lets_through_is_sized_for_a_status_or_told(architecture: dict[str, Any]) -> None:
    try:
        model = profiled_model(profile_object(architecture=architecture))
    except InvalidFacts:
        return
    length = min(16_777_216, architecture["maxPositionEmbeddings"])
    for precision in offered(model):
        asked = SizingRequest("any", precision, length, 65_536)
        sizing = model.given(estimate_model_size(model.facts, asked))
        assert 0 < sizing.total_bytes <= sizing.uncertainty.high_bytes < 2**63


def test_a_total_that_fits_a_status_with_an_uncertainty_that_does_not_is_told() -> None:
    with pytest.raises(InvalidFacts, match="more than a status holds"):
        profiled_model(profile_object(overrides={"overheadBytes": 9 * 10**18}))


def test_the_margin_of_a_profile_with_figures_of_its_own_has_room_for_what_no_term_counts() -> None:
    profile = profile_object(overrides={"kvBytesPerToken": 1000})
    sizing = profiled_model(profile).given(
        estimate_model_size(profiled_model(profile).facts, SizingRequest("any", Precision.FP8, 512, 1))
    )
    assert sizing.margin_bytes >= sizing.uncounted_bytes > 0
