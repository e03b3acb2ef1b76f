from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from controller.sizing.capacity import check_partition, largest_concurrency, largest_model_len
from controller.sizing.catalog import Catalog
from controller.sizing.errors import LengthTooLong
from controller.sizing.estimate import MAX_CONCURRENCY, SizingRequest, estimate_model_size
from controller.sizing.fit import Headroom
from tests.builders.model_facts import model_facts

CATALOG = Catalog.bundled()
GIB = 2**30

models = st.sampled_from(CATALOG.known_ids())
partitions = st.integers(4, 288).map(lambda gib: gib * GIB)


@given(models, partitions)
def test_the_largest_concurrency_fits_and_one_more_does_not(model_id: str, partition: int) -> None:
    facts, request = CATALOG.get(model_id), SizingRequest(model_id)
    most = largest_concurrency(facts, request, partition)
    assume(0 < most < MAX_CONCURRENCY)
    assert estimate_model_size(facts, replace(request, max_concurrency=most)).total_bytes <= partition
    assert estimate_model_size(facts, replace(request, max_concurrency=most + 1)).total_bytes > partition


@given(models, partitions)
def test_the_largest_length_fits_and_one_more_does_not(model_id: str, partition: int) -> None:
    facts, request = CATALOG.get(model_id), SizingRequest(model_id)
    longest = largest_model_len(facts, request, partition)
    assume(longest > 0)
    assert estimate_model_size(facts, replace(request, max_model_len=longest)).total_bytes <= partition
    try:
        longer = estimate_model_size(facts, replace(request, max_model_len=longest + 1))
    except LengthTooLong:
        return
    assert longer.total_bytes > partition


@given(models, partitions, st.integers(1, 64))
def test_a_verdict_agrees_with_the_sizes(model_id: str, partition: int, concurrency: int) -> None:
    facts, request = CATALOG.get(model_id), SizingRequest(model_id, max_concurrency=concurrency)
    check = check_partition(facts, request, partition)
    need = estimate_model_size(facts, request).total_bytes
    assert check.fits == (need <= partition) == (check.largest_concurrency >= concurrency)
    assert check.headroom_bytes == partition - need


def test_nothing_fits_where_the_weights_do_not() -> None:
    check = check_partition(CATALOG.get("deepseek-ai/DeepSeek-V3"), SizingRequest("any"), 24 * GIB)
    assert (check.fits, check.largest_concurrency, check.largest_model_len) == (False, 0, 0)


@pytest.mark.parametrize(("headroom", "want"), [(Headroom(), True), (Headroom(percent=10), False)])
def test_headroom_is_kept_free(headroom: Headroom, want: bool) -> None:
    facts = model_facts()
    need = estimate_model_size(facts, SizingRequest("any")).total_bytes
    check = check_partition(facts, SizingRequest("any"), need + 1, headroom)
    assert check.fits is want
    assert check.largest_concurrency < 8 or want
