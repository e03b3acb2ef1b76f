"""The backends that can change modes, each as the fixture `make_bench`: from a case to a bench."""

import pytest

from controller.agent.amdsmi_backend import Limits
from tests.controller.agent.conformance.benches import AmdsmiBench, Bench, Case, MakeBench, SimulatedBench

# A reload that hangs must be given up; one that does not is far quicker than this.
_LIMITS = Limits(reload=1.0)


@pytest.fixture(params=["simulated", pytest.param("amdsmi", marks=pytest.mark.needs_cc)])
def make_bench(request: pytest.FixtureRequest) -> MakeBench:
    if request.param == "simulated":
        return SimulatedBench
    stub = request.getfixturevalue("amdsmi_stub")

    def amdsmi(case: Case) -> Bench:
        hangs = any(fault.fault.name == "RELOAD_HANGS" for fault in case.faults)
        return AmdsmiBench(stub, case, _LIMITS if hangs else None)

    return amdsmi
