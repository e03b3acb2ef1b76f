"""A release of ours on a real API server: it fits, and an upgrade brings what is newer of the kinds."""

import base64
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.chart import NAMESPACE, Helm
from e2e.plane import Plane

pytestmark = pytest.mark.plane

LIMIT_SECONDS = 100
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gpunodes.aim.amd.com"
MOST_BYTES = 1 << 20
"""Of a Secret's data, in which Helm keeps a release."""


@pytest.fixture
def plane() -> Iterator[Plane]:
    """One of its own: webhooks and guards would be in the way of others' tests."""
    with Plane() as started:
        yield started


def test_an_upgrade_brings_the_newer_crds(helm: Helm, plane: Plane, tmp_path: Path) -> None:
    older = tmp_path / "chart"
    shutil.copytree(helm.chart, older)
    file = older / "files" / "crds" / "aim.amd.com_gpunodes.yaml"
    definition = yaml.safe_load(file.read_text())
    del _spec(definition)["quarantine"]
    file.write_text(yaml.safe_dump(definition))

    run(helm, plane, "install", "ours", str(older), "--create-namespace", "--no-hooks")
    before = _spec(plane.admin.get(CRD))
    run(helm, plane, "upgrade", "ours", str(helm.chart), "--no-hooks")

    assert "quarantine" not in before
    assert "quarantine" in _spec(plane.admin.get(CRD))
    assert max(release_bytes(plane)) < MOST_BYTES / 2


def _spec(definition: dict[str, Any]) -> dict[str, Any]:
    """The fields of a GPUNode's spec."""
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    fields: dict[str, Any] = schema["properties"]["spec"]["properties"]
    return fields


def run(helm: Helm, plane: Plane, *arguments: str) -> None:
    """`helm` as an administrator of the plane; fails with what it said."""
    done = subprocess.run(
        [helm.binary, *arguments, "--namespace", NAMESPACE],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "KUBECONFIG": str(plane.kubeconfig)},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"helm {arguments[0]}: {done.stderr[-2000:]}"


def release_bytes(plane: Plane) -> list[int]:
    """Sizes of what Helm keeps of each revision."""
    secrets = plane.admin.get(f"/api/v1/namespaces/{NAMESPACE}/secrets?labelSelector=owner=helm")["items"]
    return [len(base64.b64decode(secret["data"]["release"])) for secret in secrets]
