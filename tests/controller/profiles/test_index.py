"""The index of all listed models. Its counts are figures that may rise and not fall."""

import json
from functools import cache
from typing import Any

import pytest

from controller.gpu.product import PRODUCTS, product_named
from controller.profiles.aim_profile import MOST_DEVICES
from controller.profiles.generator import AIMProfileGenerator
from controller.profiles.index import Emitted, Indexer, Reason, Row, document
from controller.profiles.lists import LISTS, Listed, Wanted, wanted
from controller.sizing.errors import UnsupportedPrecision
from controller.sizing.precision import SIXTEEN_BIT, Precision, native_precision
from controller.sizing.requirement import SizingRequest
from tests.builders.profile import CATALOG, SIZES

EMITTED_ROWS = 111
READY_ROWS = 39
EMITTED_OF_AIM = 32
INDEXER = Indexer(CATALOG, AIMProfileGenerator(SIZES))


@cache
def rows(name: str) -> tuple[Row, ...]:
    return tuple(map(INDEXER.row, wanted(name)))


def refused(name: str, reason: Reason) -> list[Row]:
    return [row for row in rows(name) if row.status == reason.value]


@cache
def index() -> dict[str, Any]:
    return document({name: rows(name) for name in LISTS})


def test_the_prototype_has_114_rows_three_for_each_of_38_models() -> None:
    found = rows("rows")
    assert len(found) == 114
    assert len({row.listed.name for row in found}) == 38
    assert [row.precision.value for row in found[:3]] == ["fp16", "int8", "int4"]


def test_aims_catalogue_has_a_row_for_each_of_32_ids() -> None:
    assert len({row.listed.id for row in rows("aim_catalogue")}) == len(rows("aim_catalogue")) == 32


def test_no_fewer_rows_are_emitted_than_were() -> None:
    counts = index()["counts"]
    assert counts["rows"]["emitted"] >= EMITTED_ROWS
    assert counts["rows"]["ready"] >= READY_ROWS
    assert counts["aim_catalogue"]["ready"] == counts["aim_catalogue"]["emitted"] >= EMITTED_OF_AIM


@pytest.mark.parametrize("name", LISTS)
def test_every_row_is_counted_once(name: str) -> None:
    counts = dict(index()["counts"][name])
    assert counts["ready"] + counts["needs-copy"] == counts.pop("emitted")
    assert counts.pop("total") == sum(counts.values()) == len(rows(name))


@pytest.mark.parametrize("name", LISTS)
def test_what_is_ready_loads_a_checkpoint_of_just_the_precision_that_was_counted(name: str) -> None:
    for row in rows(name):
        if isinstance(row.outcome, Emitted) and row.outcome.ready:
            assert wrong_checkpoints(row) == []


def wrong_checkpoints(row: Row) -> list[str]:
    """Checkpoints of the row's profiles that are quantized otherwise than the row, or not named."""
    assert isinstance(row.outcome, Emitted)
    named = {profile.model.model_id if profile.model else None for profile in row.outcome.profiles}
    unquantized = SIXTEEN_BIT | {Precision.FP32}
    return [
        str(model_id)
        for model_id in named
        if model_id is None
        or (
            (native := native_precision(CATALOG.get(model_id))) is not row.precision
            and not {native, row.precision} <= unquantized
        )
    ]


@pytest.mark.parametrize("name", LISTS)
def test_what_needs_a_copy_says_so_and_no_file_of_it_names_one(name: str) -> None:
    for row in rows(name):
        if isinstance(row.outcome, Emitted) and not row.outcome.ready:
            assert "no copy in" in row.document()["message"]
            assert {profile.model.model_id for profile in row.outcome.profiles if profile.model} == {None}


def test_a_precision_the_product_lacks_is_the_reason_and_not_its_memory() -> None:
    indexer = Indexer(CATALOG, AIMProfileGenerator(SIZES, (product_named("MI210"),)))
    row = indexer.row(Wanted(Listed("Qwen3-8B", "Qwen/Qwen3-8B"), Precision.FP8))
    assert row.document()["message"].startswith("fp8 needs gfx942 or newer")


@pytest.mark.parametrize("name", LISTS)
def test_facts_are_unknown_only_of_ids_that_the_data_has_not_got(name: str) -> None:
    known = set(CATALOG.known_ids())
    assert [row.listed.id for row in refused(name, Reason.FACTS_UNKNOWN) if row.listed.id in known] == []


@pytest.mark.parametrize("name", LISTS)
def test_what_fits_nowhere_needs_more_than_the_largest_gpu_on_each_of_eight(name: str) -> None:
    largest = max(product.vram_mib or 0 for product in PRODUCTS.values()) << 20
    for row in refused(name, Reason.FITS_NOWHERE):
        request = SizingRequest(row.listed.id or "", row.precision, tensor_parallel=MOST_DEVICES)
        assert SIZES.size(request).total_bytes > largest


@pytest.mark.parametrize("name", LISTS)
def test_no_such_model_says_what_was_looked_for(name: str) -> None:
    assert [row.listed.name for row in refused(name, Reason.NO_SUCH_MODEL) if not row.listed.note] == []


def test_no_two_profiles_share_a_file() -> None:
    found = [row.outcome.profiles for name in LISTS for row in rows(name) if isinstance(row.outcome, Emitted)]
    by_path = {profile.path: profile for profiles in found for profile in profiles}
    # a model may stand on both lists in one precision: then both have the same profile
    assert all(by_path[profile.path] == profile for profiles in found for profile in profiles)


def test_the_index_can_be_written() -> None:
    assert json.loads(json.dumps(index())) == index()


@pytest.mark.parametrize(
    ("listed", "want"),
    [
        pytest.param(Listed("a name", None), "no-such-model", id="no id"),
        pytest.param(Listed("a name", "no/such-model"), "facts-unknown", id="an id that nobody knows"),
        pytest.param(Listed("Llama", "meta-llama/Llama-3.1-8B-Instruct"), "emitted", id="a known one"),
    ],
)
def test_what_becomes_of_a_model(listed: Listed, want: str) -> None:
    assert INDEXER.row(Wanted(listed, Precision.INT4)).status == want


def test_a_precision_a_model_has_not_got_is_no_row() -> None:
    with pytest.raises(UnsupportedPrecision):
        INDEXER.row(Wanted(Listed("gpt-oss", "openai/gpt-oss-20b"), Precision.INT8))
