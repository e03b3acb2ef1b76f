"""A short run of chaos on a real control plane: faults of every kind are injected, nothing is violated but what was planted."""

from pathlib import Path

import pytest

from e2e.plane.admin import Admin
from e2e.run.processes import OPERATOR
from tests.chaos.people import NAMESPACE
from tests.chaos.run import Settings, lacking, run
from tests.chaos.schedule import Kind
from tests.integration.operator.running import pod

pytestmark = [pytest.mark.plane, pytest.mark.timeout(400)]

SECONDS = 35.0
CERTIFICATE_SECONDS = 10.0


def _write_to_a_bystander(admin: Admin) -> None:
    """What invariant 3 forbids: in the operator's name a pod is changed that did not opt in."""
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    admin.create(path, pod("planted", {}))
    admin.acting_as(OPERATOR).patch(f"{path}/planted", {"metadata": {"labels": {"touched": "true"}}})


async def test_faults_are_injected_and_only_what_was_planted_is_found(tmp_path: Path) -> None:
    settings = Settings(
        SECONDS,
        seed=41,
        fault_gap_seconds=3.0,
        certificate_seconds=CERTIFICATE_SECONDS,
        plant=_write_to_a_bystander,
    )
    outcome = await run(settings, tmp_path)
    told = "\n".join(map(str, outcome.violations))
    assert [(one.invariant, one.objects) for one in outcome.violations] == [(3, (f"{NAMESPACE}/planted",))], told
    assert outcome.injected.keys() == set(Kind)
    assert lacking(outcome) == []
    assert outcome.settled_seconds is not None
    seen = outcome.judged
    assert seen["mode changes"] > 0
    assert seen["plans begun"] > 0
    print(f"\n{outcome.injected} {outcome.deeds} {seen} settled after {outcome.settled_seconds} s")
