from dataclasses import replace

import pytest

from controller.sizing.catalog import Catalog
from controller.sizing.engine_constants import CONSTANTS
from tests.benchmarks.sizing.benchmark import sort_out
from tests.benchmarks.sizing.fitting import fitted, weighted_median
from tests.benchmarks.sizing.identity import Names
from tests.benchmarks.sizing.observation import FILE

SAMPLES = sort_out(FILE, Names(Catalog.bundled())).samples


def test_an_origin_weighs_one_whatever_its_rows() -> None:
    sweep = [(1.0, "sweep")] * 33
    assert weighted_median([*sweep, (5.0, "a"), (6.0, "b")]) == 5.0


def test_half_way_between_two_origins_is_their_middle() -> None:
    assert weighted_median([(1.0, "a"), (2.0, "b")]) == 1.5


def test_a_median_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        weighted_median([])


@pytest.mark.parametrize(
    ("constant", "within"),
    [
        ("sorting_sampler_bytes", 0.02),
        ("masking_sampler_bytes", 0.01),
        ("non_torch_cuda", 0.02),
        ("non_torch_cuda_since_018", 0.02),
        ("non_torch_rocm", 0.02),
        ("collectives", 0.02),
        ("collectives_since_014", 0.02),
        ("graphs_fixed", 0.02),
        ("graphs_per_layer", 0.02),
    ],
)
def test_the_shipped_constants_are_what_the_rows_say(constant: str, within: float) -> None:
    assert getattr(CONSTANTS, constant) == pytest.approx(getattr(fitted(SAMPLES), constant), rel=within)


UNSAID = (
    "at_start_rocm",
    "at_start_cuda",
    "communicators_cuda",
    "experts_communicator_cuda",
    "parallel_growth",
    "graphs_kept_before_018",
    "emptied",
)


def test_without_rows_the_shipped_constants_stay_and_what_no_budget_counts_is_unknown() -> None:
    assert fitted([]) == replace(CONSTANTS, **dict.fromkeys(UNSAID[:-1], 0), emptied=None)


@pytest.mark.parametrize("constant", UNSAID)
def test_what_no_column_says_stays_while_rows_of_such_starts_are_left(constant: str) -> None:
    assert getattr(fitted(SAMPLES), constant) == getattr(CONSTANTS, constant)


def test_what_only_one_class_of_models_shows_is_unknown_without_it() -> None:
    left = fitted([sample for sample in SAMPLES if sample.row.kind != "moe gqa, sliding"])
    assert (left.emptied, left.parallel_growth) == (None, CONSTANTS.parallel_growth)
