"""Our pods, as a run on real nodes applies them and judges them."""

from typing import Any

import pytest

from e2e.node_run.workloads import rolled_out, simulated_agents


def test_each_node_has_agents_of_its_own_that_begin_in_its_mode() -> None:
    made = simulated_agents({"real-1": "SPX/NPS1", "real-2": "CPX/NPS4"}, 0.5)
    sets = [obj["spec"] for obj in made if obj["kind"] == "DaemonSet"]
    pods = [spec["template"]["spec"] for spec in sets]
    assert [pod["nodeSelector"]["kubernetes.io/hostname"] for pod in pods] == ["real-1", "real-2"]
    assert len({str(spec["selector"]) for spec in sets}) == 2
    for spec in sets:
        assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    arguments = [pod["containers"][0]["args"] for pod in pods]
    assert [[word for word in words if word.startswith("--node=")] for words in arguments] == [
        ["--node=$(NODE_NAME)=SPX/NPS1"],
        ["--node=$(NODE_NAME)=CPX/NPS4"],
    ]


DONE = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}


@pytest.mark.parametrize(
    ("status", "want"),
    [
        (DONE, True),
        ({}, False),
        (DONE | {"observedGeneration": 2}, False),
        (DONE | {"replicas": 3}, False),
        (DONE | {"updatedReplicas": 1}, False),
        (DONE | {"availableReplicas": 1}, False),
    ],
    ids=["done", "new", "not yet looked at", "an old pod is left", "an old pod counts", "one is not ready"],
)
def test_a_deployment_is_rolled_out_when_all_its_pods_are_new_and_ready(status: dict[str, Any], want: bool) -> None:
    deployment = {"metadata": {"generation": 3}, "spec": {"replicas": 2}, "status": status}
    assert rolled_out(deployment) is want
