"""What a GPUNode says of its agent's last operation."""

from datetime import UTC, datetime
from typing import Any

import pytest

from api.v1beta1 import GPUNode
from controller.state.operations import changed_at
from tests.builders.cluster import FedCluster
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.policy import policy_object

ENDED = "2026-01-01T00:00:00Z"


def node(phase: str | None) -> dict[str, Any]:
    made = gpu_node("worker-0", gpu())
    if phase is not None:
        made["status"]["operation"] = {"id": "plan-1", "phase": phase, "endTime": ENDED}
    return made


@pytest.mark.parametrize(
    ("phase", "want"),
    [
        pytest.param(None, None, id="nothing was ever changed"),
        pytest.param("Running", None, id="it is being changed"),
        pytest.param("Failed", None, id="nothing came of it"),
        pytest.param("Succeeded", datetime(2026, 1, 1, tzinfo=UTC), id="it was changed"),
    ],
)
def test_a_change_ends_as_its_agent_says(phase: str | None, want: datetime | None) -> None:
    assert changed_at(GPUNode.model_validate(node(phase))) == want


def test_a_node_rests_after_a_change_whose_plan_was_deleted() -> None:
    fed = FedCluster()
    fed.put(fed.cluster.policies, policy_object(repartition={"enabled": True, "cooldown": "60s"}))
    fed.put(fed.cluster.nodes, node_object())
    fed.put(fed.cluster.gpu_nodes, node("Succeeded"))
    fed.clock.tick(20)
    (seen,) = fed.cluster.snapshot().nodes
    assert seen.policy is not None
    assert seen.policy.cooldown_left == 40.0
    fed.clock.tick(40)
    (rested,) = fed.cluster.snapshot().nodes
    assert rested.policy is not None
    assert rested.policy.cooldown_left == 0.0
