"""The NetworkPolicy that users are given selects every engine and nobody else, and lets in the gateway and the exporter
alone."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.webhooks.pod_gate import PodGate
from e2e.chart.installed import the
from tests.builders.json_patch import apply_patch
from tests.builders.pod import template

ROOT = Path(__file__).parents[3]
Object = dict[str, Any]


def policy() -> Object:
    found: Object = yaml.safe_load((ROOT / "examples/gateway/engines-through-the-gateway.yaml").read_text())
    return found


def labels_of(pod: Object) -> dict[str, str]:
    """As the pod webhook leaves them."""
    patch = PodGate().mutate(pod)
    assert isinstance(patch, list)
    return dict(apply_patch(pod, patch)["metadata"].get("labels") or {})


def selected(labels: dict[str, str]) -> bool:
    wanted: dict[str, str] = policy()["spec"]["podSelector"]["matchLabels"]
    return wanted.items() <= labels.items()


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param({"aim.amd.com/inference-service": "chat"}, id="of a service of ours"),
        pytest.param({"serving.kserve.io/inferenceservice": "chat"}, id="of KServe's"),
        pytest.param({"app": "engine"}, id="of a Deployment"),
        pytest.param({}, id="without labels"),
    ],
)
def test_whatever_pod_takes_part_is_selected(labels: dict[str, str]) -> None:
    pod = template()
    pod["metadata"]["labels"] = labels
    assert selected(labels_of(pod))


def test_pods_that_take_no_part_are_left_alone() -> None:
    pod = template(annotations={})
    pod["metadata"]["labels"] = {"serving.kserve.io/inferenceservice": "transformer"}
    assert not selected(labels_of(pod))


def test_the_pods_of_gateway_and_exporter_are_let_in_and_nobody_else() -> None:
    assert policy()["spec"]["policyTypes"] == ["Ingress"]
    (peers,) = [rule["from"] for rule in policy()["spec"]["ingress"]]
    for peer, name in zip(peers, ("aim-gpu-gateway", "aim-gpu-exporter"), strict=True):
        deployment = the("Deployment", name)
        namespace = deployment["metadata"]["namespace"]
        assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": namespace}
        wanted = peer["podSelector"]["matchLabels"]
        assert wanted
        assert wanted.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_the_page_shows_the_same() -> None:
    page = (ROOT / "docs/qos.md").read_text()
    blocks = [yaml.safe_load(block.split("```")[0]) for block in page.split("```yaml")[1:]]
    (shown,) = (one for one in blocks if isinstance(one, dict) and one.get("kind") == "NetworkPolicy")
    assert shown["spec"] == policy()["spec"]
