import pytest

from tests.benchmarks.controller.settings import Settings, SettingsError, settings_of


def test_without_data_it_is_the_whole_benchmark() -> None:
    whole = settings_of("")
    assert whole == Settings()
    assert (whole.runs, whole.sizes, whole.pods, whole.workers) == (5, (1000, 5000, 10_000), 10_000, 32)


def test_data_makes_it_smaller() -> None:
    found = settings_of("runs=1 sizes=200,400 peers= pinned_sizes= pods=0")
    assert (found.runs, found.sizes, found.peers, found.pinned_sizes) == (1, (200, 400), (), ())


@pytest.mark.parametrize(
    ("data", "want"),
    [
        pytest.param("runs", "runs", id="a word without a value"),
        pytest.param("run=1", "run=1", id="a name that is none"),
        pytest.param("runs=many", "runs=many", id="no number"),
        pytest.param("sizes=1k", "sizes=1k", id="no numbers"),
        pytest.param("runs=0", "at least 1", id="nothing to do"),
        pytest.param("sizes=", "sizes", id="no sizes"),
        pytest.param("peers=go", "go", id="a peer that is none"),
    ],
)
def test_what_cannot_be_is_named(data: str, want: str) -> None:
    with pytest.raises(SettingsError, match=want):
        settings_of(data)
