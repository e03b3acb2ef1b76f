import pytest

from tests.benchmarks.controller.settings import SettingsError
from tests.benchmarks.scale.settings import Settings, settings_of


@pytest.mark.parametrize("data", ["pods", "pods=many", "pods=0", "cores=3"])
def test_words_that_mean_nothing_are_named(data: str) -> None:
    with pytest.raises(SettingsError, match=f"DATA '{data}'"):
        settings_of(data)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("nodes=2 pods=129 wave=20", "2 nodes have 128 partitions"),
        ("wave=10", "at least owner=20"),
        ("pods=400 wave=101", "at most a quarter of pods=400"),
    ],
    ids=["more pods than partitions", "a wave smaller than an owner", "a wave that is no part of a quarter"],
)
def test_what_cannot_be_is_refused_with_what_can(data: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        settings_of(data)


def test_parts_can_be_left_out() -> None:
    assert settings_of("churn=0 restart=0") == Settings(churn=0, restart=0)


def test_owners_are_enough_for_the_pods() -> None:
    assert [Settings(owner=20).owners(pods) for pods in (1, 20, 21)] == [1, 1, 2]
