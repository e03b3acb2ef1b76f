"""What a start must leave beside the engine's share, from what its version, platform and ranks say."""

import pytest

from controller.sizing.activation import activation
from controller.sizing.beside import Beside, beside
from controller.sizing.budget import Start
from controller.sizing.catalog import Catalog
from controller.sizing.engine import EngineSettings, Platform, graph_bytes
from controller.sizing.precision import Precision

GIB = 2**30
LLAMA = Catalog.bundled().get("meta-llama/Llama-3.1-8B-Instruct")


def left(version: str, ranks: int = 1, sequences: int = 256, platform: Platform = "rocm") -> Beside:
    asked = EngineSettings(sequences, 2048, version=version, platform=platform)
    return beside(Start(LLAMA, Precision.BF16, asked, 0, 8192, ranks), activation(LLAMA, asked, ranks))


@pytest.mark.parametrize(
    ("version", "ranks", "more_gib"),
    [
        pytest.param("0.23", 1, 0.33, id="what is there when the engine looks"),
        pytest.param("0.23", 2, 0.63, id="and what ranks take afterwards"),
        pytest.param("0.13", 2, 0.30, id="up to 0.17 within half of the graphs"),
        pytest.param("0.31", 1, 0.33, id="graphs within the budget"),
    ],
)
def test_over_the_graphs_there_must_be_so_much(version: str, ranks: int, more_gib: float) -> None:
    assert left(version, ranks).uncounted_bytes / GIB == pytest.approx(more_gib, abs=0.02)


def test_graphs_that_are_beside_the_budget_must_be_left_too() -> None:
    found = left("0.23")
    assert found.graph_bytes == graph_bytes(EngineSettings(version="0.23"), LLAMA)
    assert found.needed_bytes == found.graph_bytes + found.uncounted_bytes


def test_what_the_profile_frees_is_taken_again() -> None:
    # the masking sampler needs no more than it had; the sorting one had all of it
    assert left("0.23", sequences=1024).uncounted_bytes == left("0.23").uncounted_bytes
    assert left("0.13", sequences=1024).needed_bytes <= left("0.13").needed_bytes


def test_a_start_that_the_profile_leaves_enough_must_still_find_what_it_asks_for() -> None:
    assert Beside(at_start_bytes=5, after_pool_bytes=-3, graph_bytes=0).needed_bytes == 5
    assert Beside(at_start_bytes=0, after_pool_bytes=-3, graph_bytes=0).needed_bytes == 0
