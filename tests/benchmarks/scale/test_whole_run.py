"""The benchmark itself, small: every phase of it on a plane of its own."""

import pytest

from e2e.plane.progress import Progress
from tests.benchmarks.scale.benchmark import run

pytestmark = [pytest.mark.plane, pytest.mark.timeout(240)]


def test_a_small_cluster_goes_through_its_life_without_a_fault() -> None:
    report = run("nodes=2 pods=40 owner=10 wave=10 churn=10 rest=1 minutes=3", Progress())
    found = {row.metric: row.ours for row in report.results}
    faults = ("incomplete_phases", "pods_never_ready", "devices_given_twice", "reconcile_errors", "claims_left")
    assert {name: found[name] for name in faults} == dict.fromkeys(faults, 0), "\n".join(report.notes)
    assert found["fill_operator_requests_a_pod"] > 3  # claim, ResourceClaim, gate, status: nothing was missed
    assert 0 < found["restart_ready_seconds"] < found["restart_first_pod_ready_seconds"]
