import pytest

from tests.fuzz.gateway.mutants import MUTANTS, Mutant
from tests.fuzz.gateway.play import play
from tests.fuzz.gateway.report import DEFECTS_WITHIN, WANTED, needed_for, report
from tests.fuzz.gateway.search import Tally, scripts, search

SEED = 1


def test_everything_holds_in_scripts_that_are_drawn() -> None:
    tally = search(60, SEED)
    assert tally.scripts == 60
    assert {"asks", "answers", "leaves", "waits", "reloads"} <= set(tally.happened)
    assert tally.happened["200"]
    assert tally.happened["499 ClientGone"]


def test_a_script_is_played_the_same_every_time() -> None:
    for _, script in zip(range(5), scripts(SEED), strict=False):
        assert play(script) == play(script)


@pytest.mark.parametrize("script", [b"", b"\0", b"\xff" * 500, bytes(range(256))])
def test_any_bytes_are_a_script(script: bytes) -> None:
    play(script)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_finds(mutant: Mutant) -> None:
    assert needed_for(mutant, DEFECTS_WITHIN, SEED)


def test_what_never_happened_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally(10_000)
    tally.happened.update(dict.fromkeys(WANTED, 1))
    assert report("all", tally)
    del tally.happened["200"]
    assert not report("some", tally)
    assert "never happened: 200" in capsys.readouterr().out
