import pytest

from controller.reconcilers.unhealthy.looking import node_seen
from tests.builders.cluster import FedCluster
from tests.builders.gpu import bdf, gpu
from tests.builders.plan import plan


@pytest.mark.parametrize(
    ("mode", "want"),
    [pytest.param("CPX/NPS1", {bdf(1)}, id="its own"), pytest.param("CPX/NPS4", {bdf(0), bdf(1)}, id="with a reload")],
)
def test_gpus_that_a_plan_changes_are_not_judged(mode: str, want: set[str]) -> None:
    fed = FedCluster()
    fed.add_node("worker-0", gpu(0), gpu(1))
    fed.beat("worker-0")
    fed.beat("worker-0")
    made = plan(numbers=(1,), phase="Applying")
    made["spec"]["to"]["gpus"][0]["mode"] = mode
    fed.put(fed.cluster.plans, made)
    seen = node_seen(fed.cluster, "worker-0")
    assert seen is not None
    assert set(seen.changing) == want
