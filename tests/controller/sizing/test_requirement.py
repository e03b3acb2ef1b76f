import pytest

from controller.gpu.product import product_named
from controller.sizing.catalog import Catalog
from controller.sizing.errors import UnknownModel
from controller.sizing.precision import Precision
from controller.sizing.requirement import ModelSizingConfig, SizingRequest
from tests.builders.model_facts import model_facts

SIZING = ModelSizingConfig(Catalog.bundled())
LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
GIB = 2**30


def test_a_models_size_is_that_of_a_request_with_defaults() -> None:
    assert SIZING.get_model_size(LLAMA, Precision.FP8) == SIZING.size(SizingRequest(LLAMA, Precision.FP8))


def test_a_model_outside_the_catalogue_is_estimated_from_its_facts() -> None:
    facts = model_facts()
    assert SIZING.estimate_model_size(facts, SizingRequest("whatever")).model_id == facts.model_id


def test_an_unknown_model_is_refused_by_name() -> None:
    with pytest.raises(UnknownModel, match="use an id of the catalogue") as refusal:
        SIZING.size(SizingRequest("no/such-model"))
    assert (refusal.value.field, refusal.value.value) == ("model_id", "no/such-model")


def test_a_partition_is_checked() -> None:
    small = SIZING.validate_model_fits_partition(SizingRequest(LLAMA), 20 * GIB)
    assert not small.fits
    assert 0 < small.largest_concurrency < 8
    assert SIZING.validate_model_fits_partition(SizingRequest(LLAMA), 30 * GIB).fits


def test_partitions_are_found_across_products() -> None:
    products = {fit.product for fit in SIZING.calculate_optimal_partitions(SizingRequest(LLAMA))}
    assert products >= {"MI300X", "MI325X", "MI355X", "MI210"}
    only = SIZING.calculate_optimal_partitions(SizingRequest(LLAMA), [product_named("MI300X")])
    assert {fit.product for fit in only} == {"MI300X"}
