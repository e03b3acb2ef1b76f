"""The long search, kept short: it runs, counts and judges."""

import pytest

from tests.fuzz.__main__ import main


def test_a_short_search_passes_and_prints_its_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--subject", "conversion", "--count", "10", "--seed", "2"]) == 0
    printed = capsys.readouterr()
    assert printed.out.count(" kept\n") == 4
    assert "  qosLevel\n" in printed.out
    assert "[4/4] GPUSharingPolicy from v1alpha1, 10 objects, seed 2" in printed.err


def test_a_loss_is_printed_with_the_object(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.search.hub_is_kept", lose)
    assert main(["--subject", "conversion", "--count", "5"]) == 1
    out = capsys.readouterr().out
    assert "InferenceService from v1beta1, 5 objects, seed 1: something is lost" in out
    assert "lost on purpose" in out
    assert "obj={'apiVersion': 'aim.amd.com/v1beta1'" in out


def lose(mapping: object, obj: dict[str, object]) -> None:
    raise AssertionError("lost on purpose")


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_a_count_that_is_none_is_bad_input(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--count", count])
    assert "--count" in capsys.readouterr().err
