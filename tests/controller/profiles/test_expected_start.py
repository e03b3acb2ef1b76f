"""What is said beforehand of starts with our arguments."""

from dataclasses import replace

import pytest

from controller.gpu.mode import mode
from controller.gpu.product import product_named
from controller.profiles.expected_start import expected_start
from controller.profiles.generator import AIMProfileGenerator, Served
from controller.sizing.requirement import SizingRequest
from controller.sizing.verdict import Outcome, Verdict
from tests.builders.profile import CATALOG, LLAMA, SIZES

MI300X = product_named("MI300X")
SLICE = mode("CPX/NPS4")

ONE_LONG = SizingRequest(LLAMA, max_model_len=43_000, max_concurrency=1)
"""A slice holds it, with half a GiB of cache to spare."""


def expected(request: SizingRequest) -> Verdict:
    return expected_start(CATALOG.get(request.model_id), SIZES.size(request), MI300X, SLICE)


def test_a_start_that_just_fits_with_the_default_requests_is_safe() -> None:
    assert expected(SizingRequest("openai/gpt-oss-20b")).outcome is Outcome.SAFE


@pytest.mark.parametrize("version", ["0.13", "0.23", "0.31"])
def test_whatever_version_is_named_the_share_is_one_that_is_safe_with_it(version: str) -> None:
    asked = SizingRequest("openai/gpt-oss-20b", max_model_len=100_000, max_concurrency=1)
    assert expected(replace(asked, engine=replace(asked.engine, version=version))).outcome is Outcome.SAFE


def test_one_request_that_fills_the_partition_is_at_risk() -> None:
    verdict = expected(ONE_LONG)
    assert (verdict.outcome, verdict.reason) == (Outcome.AT_RISK, "WithinStartSpread")


def test_a_profile_says_that_its_start_is_at_risk_where_nothing_else_is_left() -> None:
    made = AIMProfileGenerator(SIZES, (MI300X,)).generate(Served(ONE_LONG))
    doubtful = {profile.target.mode.compute.value for profile in made if "at risk" in profile.to_yaml()}
    assert doubtful == {"CPX"}
    assert any(remark.endswith("(WithinStartSpread).") for profile in made for remark in profile.remarks)


def test_a_sharers_cache_is_pinned_and_nothing_is_doubted() -> None:
    made = AIMProfileGenerator(SIZES, (MI300X,)).generate(Served(ONE_LONG, cooperative=True))
    assert not any("at risk" in profile.to_yaml() for profile in made)
