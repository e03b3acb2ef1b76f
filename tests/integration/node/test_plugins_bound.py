"""A pod that the operator bound, in a container: the placement's words and the driver's are the same."""

from pathlib import Path

import pytest

from e2e.plane import Plane
from e2e.plane.node import RealNode
from e2e.run.install import install
from e2e.run.processes import start_operator
from tests.integration.node.agent import TELLS, environment, node_agent, run
from tests.integration.node.workloads import container, pod
from tests.integration.operator.running import AIM, opt_in

pytestmark = [pytest.mark.plane, pytest.mark.needs_kubelet]


async def test_the_container_has_the_partition_that_its_pod_was_bound_to(
    node_plane: Plane, real_node: RealNode, node_namespace: str, tmp_path: Path
) -> None:
    install(node_plane)
    options = ("--kubelet-plugin", "dra")
    async with start_operator(node_plane, tmp_path):
        with node_agent(node_plane, real_node, tmp_path, "CPX/NPS4", *options, made=False) as agent:
            agent.eventually(lambda: len(agent.offered()) == 16, "its devices are offered")
            asks = pod("llm", container(TELLS))
            del asks["spec"]["nodeName"]
            asks["metadata"]["annotations"] = opt_in()

            told = environment(agent, run(agent, node_namespace, asks))

            assert told["AIM_GPU_PARTITION"] == told["AIM_GPU_DEVICES"]
            assert told["AIM_ENGINE_ARGS"].startswith("{")
            claims = f"{AIM}/namespaces/{node_namespace}/gpupartitionclaims"
            agent.eventually(lambda: _observed(node_plane, claims) == told["AIM_GPU_PARTITION"], "the claim shows it")


def _observed(plane: Plane, path: str) -> str | None:
    """What the kubelet gave, as the pod's claim shows it."""
    (claim,) = plane.admin.get(path)["items"]
    found = (claim.get("status", {}).get("observed") or {}).get("devices") or ()
    return next((f"{one['bdf']}/{one['partition']} {one['mode']}" for one in found), None)
