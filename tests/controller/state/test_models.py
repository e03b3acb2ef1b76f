from typing import Any

import pytest

from controller.gpu.mode import Mode
from controller.profiles.aim_profile import Metric
from controller.profiles.checkpoints import Checkpoint, Weights
from controller.profiles.selection import DoesNotFit, Place, Service
from controller.runtime.cache.store import EventType, StoreEvent
from controller.sizing.catalog import Catalog
from controller.sizing.errors import SizingError, UnknownModel, UnsupportedPrecision
from controller.sizing.precision import Precision
from controller.sizing.requirement import SizingRequest
from controller.state.models import MOST_KEPT, Models, ProfileInvalid, ProfileNotFound, profile_differs
from tests.builders.model_profile import MODEL, model_profile

CATALOGUE = Models(Catalog.bundled())
KNOWN = "Qwen/Qwen3-8B"


def told(*profiles: dict[str, Any], most_kept: int = MOST_KEPT) -> Models:
    models = Models(Catalog.bundled(), most_kept=most_kept)
    for profile in profiles:
        say(models, profile)
    return models


def say(models: Models, new: dict[str, Any] | None, old: dict[str, Any] | None = None) -> None:
    key = (new or old or {})["metadata"]["name"]
    models.take(StoreEvent(EventType.MODIFIED, key, old, new))


def total(models: Models, model_id: str = MODEL, profile: str | None = None, **asked: Any) -> int:
    return models.size(SizingRequest(model_id, **asked), profile).total_bytes


def heavy(name: str = "chat-8b", model_id: str = MODEL, **fields: Any) -> dict[str, Any]:
    """A profile that says more than the shape explains: twice the weights."""
    return model_profile(name, model_id, architecture={"totalParams": 16_381_470_720}, **fields)


def test_a_profile_sizes_a_model_that_the_catalogue_has_not() -> None:
    with pytest.raises(UnknownModel):
        total(CATALOGUE)
    assert total(told(model_profile())) == total(CATALOGUE, KNOWN)


def test_a_profile_goes_before_the_catalogue() -> None:
    assert total(told(heavy(model_id=KNOWN)), KNOWN) > total(CATALOGUE, KNOWN)


def test_a_named_profile_sizes_whatever_names_it() -> None:
    models = told(heavy("twice"))
    sizing = models.size(SizingRequest(KNOWN), "twice")
    assert (sizing.model_id, sizing.total_bytes) == (KNOWN, total(models, MODEL))
    assert total(models, KNOWN) == total(CATALOGUE, KNOWN)


def test_a_checkpoint_is_told_of_what_the_catalogue_sizes_alone() -> None:
    assert CATALOGUE.checkpoint(KNOWN, Precision.INT8) == Checkpoint(Weights.NEEDS_COPY, None)
    assert CATALOGUE.checkpoint(KNOWN, Precision.FP8) == Checkpoint(Weights.COPY, "Qwen/Qwen3-8B-FP8")
    models = told(model_profile(precisions=["int8"]), model_profile("own", KNOWN, precisions=["int8"]))
    assert models.checkpoint(MODEL, Precision.INT8) is None, "its author says that the weights exist"
    assert models.checkpoint(KNOWN, Precision.INT8) is None
    assert models.checkpoint("Qwen/Qwen3-4B", Precision.INT8, "own") is None
    with pytest.raises(UnknownModel):
        CATALOGUE.checkpoint(MODEL, Precision.INT8)


def test_fp8_without_a_copy_is_quantized_at_load_unless_a_profile_says_that_there_is_one() -> None:
    asked = SizingRequest("allenai/OLMo-2-0325-32B-Instruct", Precision.FP8)
    assert CATALOGUE.size(asked).engine.quantization == "fp8"
    vouched = told(model_profile("own", asked.model_id, precisions=["bf16", "fp8"]))
    assert vouched.size(asked).engine.quantization == ""
    assert CATALOGUE.size(SizingRequest(KNOWN, Precision.FP8)).engine.quantization == "", "a copy is known"


def test_of_two_for_one_model_the_older_sizes_it() -> None:
    young, old = heavy("young", created="2026-02-01T00:00:00Z"), model_profile("old")
    for order in ((young, old), (old, young)):
        models = told(*order)
        assert (total(models), models.preferred(MODEL)) == (total(CATALOGUE, KNOWN), "old")
        assert total(models, MODEL, "young") > total(models)
    say(models, None, old)
    assert models.preferred(MODEL) == "young"


def test_a_change_is_answered_with_at_once() -> None:
    models = told(model_profile())
    before = total(models)
    say(models, heavy(), model_profile())
    assert total(models) > before
    say(models, None, heavy())
    with pytest.raises(UnknownModel):
        total(models)
    assert models.preferred(MODEL) is None


@pytest.mark.parametrize(
    ("model_id", "profile", "want", "want_field"),
    [
        pytest.param(MODEL, "nosuch", ProfileNotFound, "profile", id="a profile that does not exist"),
        pytest.param(KNOWN, "bad", ProfileInvalid, "profile", id="a named one with contradictions"),
        pytest.param(MODEL, None, ProfileInvalid, "model_id", id="the model's own one with contradictions"),
    ],
)
def test_who_cannot_be_sized(model_id: str, profile: str | None, want: type[SizingError], want_field: str) -> None:
    models = told(model_profile("bad", architecture={"totalParams": 10**9}))
    for _ in range(2):
        with pytest.raises(want) as caught:
            total(models, model_id, profile)
        assert caught.value.field == want_field
        with pytest.raises(want):
            models.sizes(model_id, profile)


def test_only_offered_precisions_are_sized_and_an_answer_is_the_same_the_second_time() -> None:
    models = told(model_profile(precisions=["fp8"]))
    assert total(models, precision=Precision.FP8) == total(CATALOGUE, KNOWN, precision=Precision.FP8)
    for _ in range(2):
        with pytest.raises(UnsupportedPrecision, match="use auto or one of fp8"):
            total(models, precision=Precision.INT4)


def test_ids_of_profiles_are_offered_for_misspelt_ones() -> None:
    with pytest.raises(UnknownModel) as caught:
        total(told(model_profile()), "acme/chat-8B")
    assert MODEL in str(caught.value)


def test_equal_questions_are_worked_out_once_and_answers_are_bounded() -> None:
    models = told(model_profile(), most_kept=2)
    first = models.size(SizingRequest(MODEL))
    assert models.size(SizingRequest(MODEL)) is first
    for length in (100, 200, 300):
        models.size(SizingRequest(MODEL, max_model_len=length))
    assert models.size(SizingRequest(MODEL)) is not first


def test_a_profile_that_cannot_be_read_is_left_out() -> None:
    models = told(model_profile("broken") | {"spec": {}}, model_profile())
    assert total(models) == total(CATALOGUE, KNOWN)


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        pytest.param(None, model_profile(), True, id="it came"),
        pytest.param(model_profile(), None, True, id="it went"),
        pytest.param(model_profile(), heavy(), True, id="it says something else"),
        pytest.param(model_profile(), model_profile() | {"status": {"sizes": []}}, False, id="its status"),
    ],
)
def test_what_counts_as_a_change(old: dict[str, Any] | None, new: dict[str, Any] | None, want: bool) -> None:
    assert profile_differs(StoreEvent(EventType.MODIFIED, "x", old, new)) is want


def test_what_a_place_is_told_follows_a_change_too() -> None:
    models, service = told(model_profile()), Service(SizingRequest(MODEL))
    place = Place("MI300X", Mode.parse("QPX/NPS1"), 48 << 30)
    before = models.select(service, place, Metric.LATENCY)
    assert models.select(service, place, Metric.LATENCY) is before
    say(models, model_profile(overrides={"weightsBytes": 1 << 40}), model_profile())
    for _ in range(2):
        with pytest.raises(DoesNotFit):
            models.select(service, place, Metric.LATENCY)
