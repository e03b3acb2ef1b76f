"""What ModelProfiles say that engines take, beside what these were observed to take."""

from typing import Any

from api.v1beta1 import ModelProfile
from controller.state.claim_gauges import SizedFor
from controller.state.model_memory_gauges import estimate_rows, observed_rows
from tests.builders.model_profile import MODEL, model_profile

SIZES = [
    {"precision": "bf16", "totalBytes": 100, "kvCacheBytes": 20, "marginBytes": 10},
    {"precision": "fp8", "totalBytes": 60, "kvCacheBytes": 20, "marginBytes": 5},
]


def profile(name: str = "chat-8b", **status: Any) -> ModelProfile:
    return ModelProfile.model_validate(model_profile(name) | {"status": status})


def test_an_engine_should_take_between_its_weights_and_runtime_and_all_that_it_was_sized_at() -> None:
    assert estimate_rows([profile(sizes=SIZES)], []) == [
        (("chat-8b", MODEL, "least"), 35.0),
        (("chat-8b", MODEL, "most"), 100.0),
    ]


def test_a_claim_that_was_sized_at_more_raises_the_most_of_its_profile_alone() -> None:
    profiles = [profile(sizes=SIZES), profile("other", sizes=SIZES)]
    sized = [SizedFor(MODEL, "chat-8b", 130), SizedFor("acme/else", None, 900), SizedFor(MODEL, "other", 90)]
    most = {labels[0]: value for labels, value in estimate_rows(profiles, sized) if labels[2] == "most"}
    assert most == {"chat-8b": 130.0, "other": 100.0}


def test_a_claim_that_names_no_profile_counts_for_each_of_its_model() -> None:
    profiles = [profile(sizes=SIZES), profile("other", sizes=SIZES)]
    rows = estimate_rows(profiles, [SizedFor(MODEL, None, 130)])
    assert [value for labels, value in rows if labels[2] == "most"] == [130.0, 130.0]


def test_a_profile_that_could_not_be_sized_or_says_too_little_has_no_least() -> None:
    assert estimate_rows([profile()], []) == []
    for parts in ({}, {"kvCacheBytes": 20}, {"marginBytes": 10}):
        told = {"precision": "bf16", "totalBytes": 100} | parts
        assert estimate_rows([profile(sizes=[told])], []) == [(("chat-8b", MODEL, "most"), 100.0)]


def test_what_was_observed_is_told_where_anything_was() -> None:
    profiles = [profile("a", observed={"peakBytes": 77, "samples": 2}), profile("b", observed={}), profile("c")]
    assert observed_rows(profiles) == [(("a", MODEL), 77.0)]
