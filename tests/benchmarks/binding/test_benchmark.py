import pytest

from tests.benchmarks.binding.benchmark import Held, Settings, rows, settings_of
from tests.benchmarks.controller.settings import SettingsError


def test_rows_say_what_the_samples_are() -> None:
    found = {row.metric: row for row in rows(Held([10.0, 30.0, 20.0], [100.0, 300.0], 0.5))}
    assert (found["single_p50_ms"].ours, found["burst_pods_per_second"].ours) == (20.0, 4.0)
    assert (found["single_p50_ms"].met, found["burst_pods_per_second"].met) == (True, False)


@pytest.mark.parametrize("data", ["pods", "pods=many", "pods=0", "cores=3"])
def test_words_that_mean_nothing_are_named(data: str) -> None:
    with pytest.raises(SettingsError, match=f"DATA '{data}'"):
        settings_of(data)
    assert settings_of("pods=5") == Settings(pods=5)
