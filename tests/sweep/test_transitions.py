"""Every transition of a plan's table, with the agent, the operator or both killed at that very write."""

import pytest

from controller.repartition.phases import TRANSITIONS
from tests.sweep.case import KILLS, Case, cases, play
from tests.sweep.forks import Forks
from tests.sweep.scripts import SCRIPTS

PLAY = play


def test_every_transition_has_a_script() -> None:
    assert SCRIPTS.keys() == TRANSITIONS.keys()


def test_the_sweep_is_the_whole_product(capsys: pytest.CaptureFixture[str]) -> None:
    swept = cases()
    with capsys.disabled():
        print(f"\n{len(swept)} cases: {len(TRANSITIONS)} transitions x {len(KILLS)} ways to kill")
    assert len({str(case) for case in swept}) == len(TRANSITIONS) * len(KILLS)


@pytest.mark.parametrize("case", [pytest.param(case, id=str(case)) for case in cases()])
def test_killed_at(case: Case, forks: Forks) -> None:
    assert not forks.errors_logged(case)
