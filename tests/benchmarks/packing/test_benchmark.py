import pytest

from tests.benchmarks.controller.settings import SettingsError
from tests.benchmarks.packing.benchmark import SEEDS, TRACES, Setting, published, read_trace, setting_of
from tests.benchmarks.thresholds import bounds


def test_words_choose_traces_and_seeds() -> None:
    assert setting_of("") == Setting(TRACES, SEEDS)
    assert setting_of("traces=default,cpu250 seeds=2") == Setting(("default", "cpu250"), (42, 43))


@pytest.mark.parametrize("word", ["traces=nothing", "seeds=0", "seeds=11", "fast"])
def test_other_words_are_refused(word: str) -> None:
    with pytest.raises(SettingsError, match="give traces="):
        setting_of(word)


def test_every_trace_is_there_and_its_published_figure() -> None:
    assert sum(node.gpus for node in read_trace("default").nodes) == 6212
    assert len(read_trace("multigpu50").pods) == 9061
    assert {trace for trace in TRACES if published()[trace, "FGD"] > 80} == set(TRACES)


def test_the_bounds_are_the_ones_that_are_read() -> None:
    assert set(bounds("packing")) == {
        "published_fgd",
        "measured_fgd",
        "fgd_off_published",
        "gap_closed",
        "placements_per_second",
        "cost_a_pod",
    }
