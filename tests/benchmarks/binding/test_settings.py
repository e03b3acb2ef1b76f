import pytest

from tests.benchmarks.binding.settings import Settings, settings_of
from tests.benchmarks.controller.settings import SettingsError


@pytest.mark.parametrize("data", ["pods", "pods=many", "pods=0", "cores=3"])
def test_words_that_mean_nothing_are_named(data: str) -> None:
    with pytest.raises(SettingsError, match=f"DATA '{data}'"):
        settings_of(data)


def test_parts_can_be_left_out() -> None:
    assert settings_of("pods=5 held=0 floor=0") == Settings(pods=5, held=0, floor=0)
