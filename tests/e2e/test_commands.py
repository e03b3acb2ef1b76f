import sys
from pathlib import Path

import pytest

from e2e.commands import Command, StepFailed, ask, run, run_all
from e2e.plane import Progress


def script(text: str, *, tries: int = 1, limit: float = 20) -> Command:
    """A command that runs some Python."""
    return Command(text, (sys.executable, "-c", text), limit, tries)


def test_commands_run_in_order_and_none_after_one_that_fails(tmp_path: Path) -> None:
    told = tmp_path / "told"
    note = f"open({str(told)!r}, 'a').write"
    with pytest.raises(StepFailed, match=r"ended with 3: what was wrong"):
        run(
            [
                script(f"{note}('a')"),
                script(f"{note}('b')"),
                script("import sys; sys.stderr.write('what was wrong'); sys.exit(3)"),
                script(f"{note}('c')"),
            ],
            Progress(),
        )
    assert told.read_text() == "ab"


def test_a_command_is_tried_as_often_as_it_may_with_longer_pauses(tmp_path: Path) -> None:
    told = tmp_path / "told"
    told.touch()
    late = f"f = open({str(told)!r}, 'a+'); f.write('x'); f.flush(); f.seek(0); assert len(f.read()) == 3"
    pauses: list[float] = []
    run([script(late, tries=3)], Progress(), pause=pauses.append, chance=lambda: 1.0)
    assert pauses == [2.0, 4.0]


def test_what_is_not_there_and_what_takes_too_long_are_told() -> None:
    with pytest.raises(StepFailed, match="no-such-program is not there: install it"):
        run([Command("nothing", ("no-such-program",), 5)], Progress())
    with pytest.raises(StepFailed, match=r"took longer than 0 s"):
        run([script("import time; time.sleep(20)", limit=0.2)], Progress())


def test_a_cluster_ends_although_its_logs_cannot_be_had(tmp_path: Path) -> None:
    told = tmp_path / "told"
    with pytest.raises(StepFailed, match="ended with 1"):
        run_all([script("raise SystemExit(1)"), script(f"open({str(told)!r}, 'w')")], Progress())
    assert told.exists()


def test_what_a_command_says_is_given() -> None:
    assert ask(script("print('sha256:00')")) == "sha256:00\n"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (script("import sys; sys.stderr.write('no'); sys.exit(4)"), "ended with 4: no"),
        (script("import time; time.sleep(20)", limit=0.2), "took longer than 0 s"),
        (Command("nothing", ("no-such-program",), 5), "no-such-program is not there"),
    ],
    ids=["failed", "late", "missing"],
)
def test_a_command_that_says_nothing_of_use_is_a_failure(command: Command, says: str) -> None:
    with pytest.raises(StepFailed, match=says):
        ask(command)
