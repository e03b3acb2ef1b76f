from typing import Any

import pytest

from controller.profiles.checkpoints import Checkpoint, Weights
from controller.sizing.catalog import Catalog
from controller.sizing.engine import EngineSettings
from controller.sizing.precision import Precision
from controller.sizing.requirement import ModelSizingConfig, SizingRequest
from controller.translate.known_checkpoint import checkpoint_problem, loading_assumed
from controller.translate.request import Problem
from controller.webhooks.finding import WARNING_CHARACTERS
from tests.builders.inference_service import inference_service

SIZES = ModelSizingConfig(Catalog.bundled())
NEEDED = Checkpoint(Weights.NEEDS_COPY, None)
OWN: dict[str, Any] = {"predictor": {"containers": [{"name": "main"}]}}


def problem(checkpoint: Checkpoint | None, model: str = "Qwen/Qwen3-4B", **spec: Any) -> Problem | None:
    service = inference_service(model={"id": model, "precision": "int8"}, **spec)
    return checkpoint_problem(service, SIZES.size(SizingRequest(model, Precision.INT8)), checkpoint)


def test_a_precision_without_a_known_checkpoint_names_model_precision_and_remedy() -> None:
    assert str(problem(NEEDED)) == (
        "spec.model.precision: 'int8' is in no known checkpoint of Qwen/Qwen3-4B: the published weights are loaded. Set "
        "spec.model.id to one in int8 (with a ModelProfile if need be), or AIM_MODEL_ID in spec.predictor"
    )


@pytest.mark.parametrize(
    ("checkpoint", "spec", "want"),
    [
        pytest.param(NEEDED, {}, True, id="what no engine makes"),
        pytest.param(Checkpoint(Weights.AT_LOAD, "a/b"), {}, False, id="what the engine is told to quantize"),
        pytest.param(Checkpoint(Weights.COPY, "a/b"), {}, False, id="a copy that is known"),
        pytest.param(Checkpoint(Weights.CAST, "a/b"), {}, False, id="what the engine casts"),
        pytest.param(None, {}, False, id="what a ModelProfile vouches for"),
        pytest.param(NEEDED, OWN, False, id="containers of which nothing is known"),
    ],
)
def test_only_what_is_known_to_load_something_else_is_spoken_of(
    checkpoint: Checkpoint | None, spec: dict[str, Any], want: bool
) -> None:
    assert (problem(checkpoint, **spec) is not None) is want


def test_the_longest_id_of_the_catalogue_leaves_room_for_the_remedy() -> None:
    longest = max(Catalog.bundled().known_ids(), key=len)
    assert len(str(problem(NEEDED, longest))) <= WARNING_CHARACTERS


def test_what_is_assumed_of_an_engine_that_is_not_ours_fits_a_warning() -> None:
    engine = EngineSettings(quantization="fp8")
    sizing = SIZES.size(SizingRequest("Qwen/Qwen3-4B", Precision.FP8, engine=engine))
    assumed = loading_assumed("spec.predictor.annotations aim.amd.com/precision", "fp8", sizing)
    assert assumed is not None
    assert "--quantization fp8, 0.16 or later, or a copy in fp8" in str(assumed)
    assert len(str(assumed)) <= WARNING_CHARACTERS


def test_nothing_is_assumed_of_weights_that_are_loaded_as_they_are() -> None:
    sizing = SIZES.size(SizingRequest("Qwen/Qwen3-4B", Precision.FP8))
    assert loading_assumed("aim.amd.com/precision", "fp8", sizing) is None
