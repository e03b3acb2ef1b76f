from controller.sizing.catalog import Catalog
from tests.benchmarks.sizing.checkpoints import by_precision, checkpoint_errors, from_shape

CATALOG = Catalog.bundled()
FOUND = checkpoint_errors(CATALOG)


def test_every_published_size_is_compared_by_kind_and_precision() -> None:
    counts = {group: len(errors) for group, errors in by_precision(FOUND).items()}
    assert counts == {
        "files, bf16": 33,
        "files, fp8": 12,
        "files, int4": 4,
        "tensors, bf16": 16,
        "tensors, mxfp4": 2,
    }


def test_exact_totals_of_16_bit_checkpoints_are_exact() -> None:
    assert {found.error for found in FOUND if found.kind == "tensors" and found.precision == "bf16"} == {0}


def test_only_the_shape_counts() -> None:
    # files of 9.54 GiB, 4.4 of them embeddings of single layers
    assert from_shape(CATALOG.get("google/gemma-4-E2B-it")) == 2 * 5_123_178_051
