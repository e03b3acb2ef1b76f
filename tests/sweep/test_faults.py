"""Every fault of the hardware, from every step of a plan and of the partitioner on: the change ends well or is undone."""

import pytest

from controller.agent.simulated_faults import Fault
from tests.sweep.faults import STEPS, FaultCase, fault_cases, play_fault
from tests.sweep.forks import Forks

PLAY = play_fault


@pytest.mark.parametrize("case", fault_cases(), ids=str)
def test_struck_by(case: FaultCase, forks: Forks) -> None:
    forks.errors_logged(case)


def test_the_sweep_is_the_whole_product_and_each_case_injects_its_fault(
    forks: Forks, capsys: pytest.CaptureFixture[str]
) -> None:
    swept, met = fault_cases(), forks.counted()
    with capsys.disabled():
        print(
            f"\n{len(swept)} cases: {len(Fault)} faults x {len(STEPS)} steps; "
            f"{sum(map(bool, met.values()))} faults injected in {len(met)} cases, met by {sum(met.values())} calls"
        )
    assert len({str(case) for case in swept}) == len(Fault) * len(STEPS)
    assert not [str(case) for case, count in met.items() if not count]
