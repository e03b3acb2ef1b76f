import pytest

from tests.benchmarks.controller.settings import SettingsError
from tests.benchmarks.gateway.settings import PEERS, settings_of


def test_words_replace_what_is_usual() -> None:
    found = settings_of("runs=1 peers=haproxy,smg parts=throughput")
    assert (found.runs, found.peers, found.parts, found.connections) == (1, ("haproxy", "smg"), ("throughput",), 64)
    assert settings_of("peers=").peers == ()
    assert settings_of("").peers == PEERS


@pytest.mark.parametrize(
    ("data", "want"),
    [
        ("runs", "give words name=value"),
        ("speed=1", "'speed=1': give words"),
        ("runs=x", "give a number"),
        ("runs=0", "give at least 1"),
        ("peers=nginx", r"peers \['nginx'\]"),
        ("parts=all", r"parts \['all'\]"),
    ],
)
def test_bad_words_are_named(data: str, want: str) -> None:
    with pytest.raises(SettingsError, match=want):
        settings_of(data)
