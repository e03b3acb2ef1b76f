"""Pods that the operator bound and the device plugin serves: containers, kubelet and claims tell the same."""

import json
from pathlib import Path

import pytest

from e2e.plane import Plane
from e2e.plane.node import RealNode
from tests.integration.node.agent import TELLS, environment
from tests.integration.node.operated import RESOURCE, Operated, asking, device_text, operated_node
from tests.integration.node.workloads import create

pytestmark = [pytest.mark.plane, pytest.mark.needs_kubelet, pytest.mark.node_e2e, pytest.mark.timeout(300)]

PODS = 8


async def test_containers_read_what_their_pods_were_bound_to_and_claims_what_the_kubelet_gave(
    node_plane: Plane, real_node: RealNode, node_namespace: str, tmp_path: Path
) -> None:
    async with operated_node(node_plane, real_node, tmp_path, device_plugin=True) as operated:
        operated.agent.eventually(lambda: asked_for(operated, node_namespace) == RESOURCE, "the webhook knows the name")
        names = [f"llm-{number}" for number in range(PODS)]
        paths = [create(node_plane, node_namespace, asking(name, TELLS)) for name in names]

        told = [environment(operated.agent, path) for path in paths]

        assert {read["AIM_GPU_PARTITION"] for read in told} == {f"{RESOURCE} CPX/NPS1"}
        assert all("gpu-memory-utilization" in json.loads(read["AIM_ENGINE_ARGS"]) for read in told)
        given = [device_text(operated.allocated(node_namespace, name)) for name in names]
        assert given == [read["AIM_GPU_DEVICES"] for read in told]
        assert len(set(given)) == PODS


def asked_for(operated: Operated, namespace: str) -> str:
    """The resource that a pod would be made to ask for now."""
    path = f"/api/v1/namespaces/{namespace}/pods?dryRun=All"
    (container,) = operated.plane.admin.create(path, asking("probe", TELLS))["spec"]["containers"]
    return str(next(iter(container["resources"].get("limits", {"": ""}))))
