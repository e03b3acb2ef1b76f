"""What a real kubelet makes of the agent as a device plugin."""

from pathlib import Path

import pytest

from e2e.plane import Plane
from e2e.plane.node import RealNode
from e2e.run.install import install
from tests.integration.node.agent import TELLS, NodeAgent, environment, node_agent, run
from tests.integration.node.workloads import Object, container, pod

pytestmark = [pytest.mark.plane, pytest.mark.needs_kubelet, pytest.mark.node_e2e]

RESOURCE = "amd.com/dpx_nps1"


def asking(name: str, count: int) -> Object:
    return pod(name, container(TELLS, resources={"limits": {RESOURCE: str(count)}}))


def told_by_kubelet(agent: NodeAgent, namespace: str) -> set[str]:
    return {f"{bdf}/{partition} DPX/NPS1" for bdf, partition in agent.assigned(namespace).values()}


def registrations(agent: NodeAgent) -> int:
    return agent.log.read_text(encoding="utf-8").count("registered with the kubelet")


def test_resources_are_registered_again_with_a_restarted_kubelet_and_containers_see_their_partitions(
    node_plane: Plane, real_node: RealNode, node_namespace: str, tmp_path: Path
) -> None:
    install(node_plane)
    options = ("--kubelet-plugin", "device-plugin", "--resource-naming", "mixed")
    with node_agent(node_plane, real_node, tmp_path, "DPX/NPS1", *options) as agent:
        agent.eventually(lambda: agent.allocatable().get(RESOURCE) == "4", "its devices are allocatable")
        first = environment(agent, run(agent, node_namespace, asking("first", 1)))["AIM_GPU_DEVICES"]
        agent.eventually(lambda: told_by_kubelet(agent, node_namespace) == {first}, f"the kubelet tells of {first}")

        before = registrations(agent)
        node_plane.restart(real_node.kubelet)

        # a kubelet refuses pods whose resources it does not know yet, and these are not made again
        agent.eventually(lambda: registrations(agent) > before, "it registers again")
        second = environment(agent, run(agent, node_namespace, asking("second", 2)))["AIM_GPU_DEVICES"]
        one, other = (device.partition("/")[0] for device in second.split(","))
        assert one == other != first.partition("/")[0]  # both of one GPU, and that is not the first pod's
        assert agent.offered() == []
