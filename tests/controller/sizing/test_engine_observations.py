"""The formulas against what real engines printed; see tests/data/engine-memory/README.md for the origin.

Every row that names a model of the catalogue and its ranks takes part. Tolerances: weights within 1 %, bytes per token
within 1 %. Rows beyond them stand in a table with the bound they keep, and with the reason where it is known.
"""

import pytest

from controller.sizing.catalog import Catalog
from tests.benchmarks.sizing.identity import Names
from tests.benchmarks.sizing.measures import Measured, formula_applies, measured
from tests.benchmarks.sizing.observation import FILE, read
from tests.benchmarks.sizing.starts import NotPredictable, start_of

TOLERANCE = 0.01

WEIGHTS_BEYOND = {
    "EM001": 0.016,
    "EM003": 0.027,
    "EM013": 0.03,  # 0.24 GiB, printed to two decimals
    "EM016": 0.015,
    "EM017": 0.015,
    "EM018": 0.018,
    "EM019": 0.018,
    "EM020": 0.045,
    "EM021": 0.045,
    "EM022": 0.04,
    "EM023": 0.04,
    "EM027": 0.015,
    "EM028": 0.015,
    "EM029": 0.015,
    "EM037": 0.035,
    "EM039": 0.16,  # 0.51 GiB: bitsandbytes keeps its own block constants
    "EM043": 0.02,  # bitsandbytes
    "EM048": 0.06,
    "EM076": 0.015,
    "EM086": 0.03,
    "EM103": 0.02,  # an image encoder that every rank holds whole
    "EM104": 0.06,  # the same
    "EM110": 0.016,
    "EM115": 1.0,  # printed for more ranks than the row says
    "EM117": 0.23,  # "4bit class": what of the model is in 4 bits is not told
    "EM119": 0.045,  # GGUF in 8 bits quantizes the embedding, too
}

BYTES_PER_TOKEN_BEYOND = {
    "EM009": 0.035,
    "EM092": 0.014,  # pipeline stages: the cache of one, tokens of all
    "EM093": 0.014,
    "EM114": 7.1,  # decode context parallelism of 8, which no column says
}


def _predictable() -> list[Measured]:
    names = Names(Catalog.bundled())
    found = []
    for row in read(FILE)[0]:
        try:
            found.append(measured(row, start_of(row, names)))
        except NotPredictable:
            continue
    return found


ROWS = _predictable()


def name(found: Measured) -> str:
    return f"{found.row.obs_id} {found.row.model} tp{found.row.tensor_parallel} {found.row.engine_version}"


@pytest.mark.parametrize("found", [row for row in ROWS if row.weights_error is not None], ids=name)
def test_weights_are_what_the_engine_loaded(found: Measured) -> None:
    assert found.weights_error is not None
    assert abs(found.weights_error) <= WEIGHTS_BEYOND.get(found.row.obs_id, TOLERANCE)


@pytest.mark.parametrize(
    "found", [row for row in ROWS if row.kv_bytes_per_token_error is not None and formula_applies(row)], ids=name
)
def test_bytes_per_token_are_what_the_engine_held(found: Measured) -> None:
    assert found.kv_bytes_per_token_error is not None
    assert abs(found.kv_bytes_per_token_error) <= BYTES_PER_TOKEN_BEYOND.get(found.row.obs_id, TOLERANCE)


def test_most_rows_take_part() -> None:
    assert len(ROWS) >= 118
    assert len(WEIGHTS_BEYOND) < len([row for row in ROWS if row.weights_error is not None]) / 4
