"""Twenty-five cases of the sweep on a real control plane, with real processes killed by their ids."""

from pathlib import Path

import pytest

from controller.repartition.phases import TRANSITIONS
from e2e.plane import Plane
from tests.integration.sweep.plane_case import QUICK, play
from tests.integration.sweep.scripts import PLANE_SCRIPTS
from tests.integration.sweep.site import site

pytestmark = [pytest.mark.plane, pytest.mark.timeout(600)]


def test_the_cases_begin_in_every_phase() -> None:
    assert {case.at[0] for case in QUICK} == {phase for phase, _ in TRANSITIONS}
    assert PLANE_SCRIPTS.keys() == TRANSITIONS.keys()


async def test_killed_at_transitions(plane: Plane, tmp_path: Path) -> None:
    async with site(plane, tmp_path) as made:
        for number, case in enumerate(QUICK):
            try:
                await play(made, case, number)
            except AssertionError as error:
                raise AssertionError(f"{case}: {error}") from error
    print(f"\n{len(QUICK)} cases on a plane")
