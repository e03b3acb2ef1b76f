from dataclasses import replace
from pathlib import Path

import pytest

from controller.cli.documents import parse_yaml
from controller.cli.offline_nodes import default_nodes, parse_nodes
from e2e.run.errors import ExampleError
from e2e.run.expectation import expectation
from e2e.run.install import ROOT

EXAMPLES = ROOT / "examples"


def test_the_examples_use_every_entry_in_four_namespaces() -> None:
    expected = expectation(EXAMPLES, kserve=True)
    services = expected.plan.services
    assert {wish.kind for wish in expected.wishes} == {"InferenceService", "KServe InferenceService", "Deployment"}
    assert len({service.workload.namespace for service in services}) == 4
    assert len({service.workload.pod.annotations["aim.amd.com/model-id"] for service in services}) >= 8


def test_without_kserve_its_services_are_left_out_and_named() -> None:
    everything, without = expectation(EXAMPLES, kserve=True), expectation(EXAMPLES)
    left_out = {"team-search/qwen3-coder-next", "team-search/mistral-small-24b"}
    assert {wish.key for wish in everything.wishes} - {wish.key for wish in without.wishes} == left_out
    assert (set(without.left_out), everything.left_out) == (left_out, ())
    assert len(everything.plan.services) - len(without.plan.services) == 2
    assert not any(obj["apiVersion"].startswith("serving.kserve.io") for obj in without.objects)


def test_half_of_the_examples_go_through_kserve() -> None:
    wishes = expectation(EXAMPLES, kserve=True).wishes
    assert sum(wish.kind != "Deployment" for wish in wishes) * 2 >= len(wishes) == 14


def test_the_gateway_is_asked_for_every_service_that_it_serves() -> None:
    expected = expectation(EXAMPLES, kserve=True)
    unreached = {wish.key for wish in expected.wishes} - expected.asked
    assert {wish.kind for wish in expected.wishes if wish.key in unreached} == {"Deployment"}
    assert {wish.kind for wish in expected.wishes if wish.key in expected.asked} == {
        "InferenceService",
        "KServe InferenceService",
        "Deployment",
    }


def test_what_the_plan_refuses_is_what_the_examples_declare() -> None:
    expected = expectation(EXAMPLES)
    declared = {wish.key: wish.refusal for wish in expected.wishes if wish.refusal}
    refused = {
        service.workload.key: replica.decision.reason  # type: ignore[union-attr]
        for service in expected.plan.services
        for replica in service.replicas
        if replica.placed is None
    }
    assert declared == refused == {"team-chat/deepseek-v3": "TooLargeForAnyGPU"}


def test_one_example_needs_a_mode_change() -> None:
    changes = expectation(EXAMPLES).plan.changes
    assert [str(change.mode) for change in changes] == ["QPX/NPS1"]
    assert not changes[0].reloads_driver


def test_the_nodes_of_a_run_are_those_of_the_file() -> None:
    file = EXAMPLES / "cluster" / "nodes.yaml"
    contents = parse_yaml(file, file.read_text(encoding="utf-8"))
    there = parse_nodes(file, contents)
    # what the story of the approval does on a cluster is done in the file
    assert {node.name: node.labels for node in there if node.labels} == {
        "gpu-a": {"examples.aim.amd.com/story": "approval"}
    }
    assert tuple(replace(node, labels={}) for node in there) == default_nodes() == expectation(EXAMPLES).nodes


BAD = [
    pytest.param("kind: Namespace\napiVersion: v1\nmetadata: {name: a}\n", "no InferenceService", id="no service"),
    pytest.param("kind: [", "is no YAML", id="no YAML"),
]


@pytest.mark.parametrize(("text", "want_part"), BAD)
def test_examples_that_cannot_be_run(tmp_path: Path, text: str, want_part: str) -> None:
    (tmp_path / "one.yaml").write_text(text)
    with pytest.raises(ExampleError, match=want_part):
        expectation(tmp_path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ExampleError, match="is not there"):
        expectation(tmp_path / "none")
