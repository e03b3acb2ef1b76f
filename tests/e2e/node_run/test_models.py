"""The examples as they run on real nodes."""

from typing import Any

import pytest

from e2e.node_run.models import small
from e2e.node_run.session import expected
from e2e.plane.node import BUSYBOX_IMAGE
from e2e.run.install import ROOT

ENGINE = {"name": "engine", "image": "vllm:1", "args": ["--model=x"], "resources": {"limits": {"amd.com/gpu": "1"}}}


def containers(value: object) -> list[dict[str, Any]]:
    """Every container anywhere in an object."""
    if not isinstance(value, dict):
        return []
    return [*value.get("containers", ()), *(one for inner in value.values() for one in containers(inner))]


def test_a_container_waits_for_little_and_keeps_what_it_asks_of_gpus() -> None:
    (container,) = containers(small({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"containers": [ENGINE]}}))
    assert (container["name"], container["image"]) == ("engine", BUSYBOX_IMAGE)
    assert "args" not in container
    assert container["resources"]["limits"] == {"amd.com/gpu": "1"}
    assert container["resources"]["requests"] == {"cpu": "10m", "memory": "16Mi"}


def test_a_service_without_containers_gets_one_and_the_example_stays_as_it_is() -> None:
    example = {"apiVersion": "aim.amd.com/v1beta1", "kind": "InferenceService", "spec": {"model": {"id": "x/y"}}}
    assert [container["name"] for container in containers(small(example))] == ["kserve-container"]
    assert example["spec"] == {"model": {"id": "x/y"}}


@pytest.mark.parametrize("kserve", ["0", "1"])
def test_the_plan_of_real_nodes_is_that_of_simulated_ones(monkeypatch: pytest.MonkeyPatch, kserve: str) -> None:
    monkeypatch.setenv("KSERVE", kserve)
    found = expected(ROOT / "examples")
    assert found.modes == {"real-1": "SPX/NPS1", "real-2": "CPX/NPS4", "real-3": "DPX/NPS1"}
    images = {container["image"] for obj in found.objects for container in containers(obj)}
    assert images == {BUSYBOX_IMAGE}
