"""A plane of its own with the real KServe and our manifests; left out by `KSERVE=0`."""

import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from e2e.plane import Plane, add_nodes, kserve_wanted
from e2e.run.install import install
from tests.integration.kserve.services import Services


@pytest.fixture(scope="package")
def kserve_plane(plane_manifests: Sequence[Path]) -> Iterator[Plane]:
    """A plane with KServe, both its controllers, and our CRDs and manifests; no operator runs, and no node is there."""
    if not kserve_wanted():
        pytest.skip(f"KServe is left out by KSERVE={os.environ['KSERVE']}: unset it to run these tests")
    with Plane(manifests=plane_manifests, kserve=True, llmisvc=True) as started:
        install(started)
        yield started


@pytest.fixture(scope="package")
def kserve_node(kserve_plane: Plane) -> str:
    """A node without GPUs for pods that need none of ours."""
    add_nodes(kserve_plane, ["kserve-cpu-0"])
    return "kserve-cpu-0"


@pytest.fixture
def services(kserve_plane: Plane, kserve_node: str) -> Iterator[Services]:
    """KServe's services in a namespace of their own, on a plane that has a node for their pods."""
    namespace = f"kserve-{uuid.uuid4().hex[:8]}"
    kserve_plane.admin.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
    kserve_plane.wait_until(lambda: kserve_plane.admin.find(account) is not None, f"{namespace} has its ServiceAccount")
    yield Services(kserve_plane, namespace)
    kserve_plane.admin.delete(f"/api/v1/namespaces/{namespace}")
