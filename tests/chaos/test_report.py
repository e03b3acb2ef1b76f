"""The report says what was injected and found, and how to play it again."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.chaos import __main__ as chaos
from tests.chaos.__main__ import main
from tests.chaos.checks.violation import Violation
from tests.chaos.report import show, write
from tests.chaos.run import Outcome, Settings, lacking
from tests.chaos.schedule import Fault, Kind

OUTCOME = Outcome(
    Settings(seconds=60.0, seed=5),
    (Fault(Kind.KILL, "etcd", 3.0, 1.0),),
    injected={"kill": 1},
    deeds={"pod": 4},
    judged={"writes": 9},
    answers={"200": 7},
    violations=[Violation(4, 12.0, ("a",), "a: SetComputeMode while somebody holds it")],
)

FULL = Outcome(
    Settings(seconds=599.0, kinds=(Kind.KILL,)),
    OUTCOME.faults,
    injected={"kill": 1},
    deeds={"pod": 1},
    judged={
        "writes": 10,
        "writes of known authors": 7,
        "places bound": 1,
        "creations without opt-in": 1,
        "requests": 1,
        "mode changes": 1,
        "plans begun": 1,
    },
    answers={"200": 1},
)


def test_everything_is_in_the_file_and_a_line_is_short(tmp_path: Path) -> None:
    line = json.loads(write(OUTCOME, tmp_path))
    assert (line["seed"], line["injected"], line["violations"]) == (5, {"kill": 1}, 1)
    whole = json.loads((tmp_path / "random.json").read_text())
    assert whole["violations"] == [
        {"invariant": 4, "at": 12.0, "objects": ["a"], "text": "a: SetComputeMode while somebody holds it"}
    ]
    assert whole["faults"][0]["target"] == "etcd"
    assert whole["again"] == "make chaos SWEEP=random SEED=5 DURATION=60"


def test_the_table_counts_violations_by_invariant_and_tells_each() -> None:
    console = Console(file=StringIO(), width=120)
    show(OUTCOME, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "of invariant 8" in text
    assert "invariant 4: a: SetComputeMode while somebody holds it" in text


@pytest.mark.parametrize("arguments", [["--duration", "3"], ["--kinds", "flood"]])
def test_bad_input_is_refused_with_what_helps(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert arguments[1] in capsys.readouterr().err


def test_a_run_in_which_nothing_happened_fails_and_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def vacuous(settings: Settings, *_: object) -> Outcome:
        return Outcome(settings, ())

    async def innocent(settings: Settings, *_: object) -> Outcome:
        return replace(FULL, settings=replace(settings, kinds=(Kind.KILL,)))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(chaos, "ensure_binaries", lambda _: None)
    monkeypatch.setattr(chaos, "run", vacuous)
    assert main(["--duration", "60", "--kinds", "kill"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["lacking"] == [
        "0 of 0 faults were injected",
        "people did nothing",
        "no request was answered",
        "there were no writes",
        "there were no places bound",
        "there were no creations without opt-in",
        "there were no requests",
    ]
    assert "shows too little: people did nothing" in told.err
    monkeypatch.setattr(chaos, "run", innocent)
    assert main(["--duration", "60", "--kinds", "kill"]) == 0


@pytest.mark.parametrize(
    ("outcome", "want"),
    [
        pytest.param(replace(FULL, faults=(), injected={}), "0 of 0 faults were injected", id="no faults"),
        pytest.param(replace(FULL, faults=FULL.faults * 2), "1 of 2 faults were injected", id="not all faults"),
        pytest.param(replace(FULL, deeds={"pod": 0}), "people did nothing", id="no deeds"),
        pytest.param(replace(FULL, answers={"500": 9}), "no request was answered", id="no answers"),
        pytest.param(
            replace(FULL, judged=FULL.judged | {"writes of known authors": 6}),
            "the author of 6 writes is known, 7 at least must be",
            id="nobody knows who wrote",
        ),
        pytest.param(
            replace(FULL, settings=replace(FULL.settings, seconds=600.0)),
            "there were no evictions",
            id="a long run without evictions",
        ),
    ],
)
def test_what_a_run_lacks_is_said(outcome: Outcome, want: str) -> None:
    assert lacking(outcome) == [want]


def test_a_run_that_has_something_of_all_lacks_nothing() -> None:
    assert lacking(FULL) == []
