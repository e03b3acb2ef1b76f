"""A plane of its own with the real KServe and our manifests; left out by `KSERVE=0`."""

import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from e2e.plane import Plane, PlaneError, add_nodes, ensure_binaries, kserve_wanted, wanted_families
from e2e.run.install import install
from tests.integration.kserve.services import Services

HERE = Path(__file__).parent


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build KServe's controllers, which takes minutes once, before the time of any test runs."""
    wanted = kserve_wanted() and any(item.path.is_relative_to(HERE) for item in session.items)
    if not wanted or session.config.option.collectonly:
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    try:
        with capture.global_and_fixture_disabled():
            ensure_binaries(families=wanted_families())
    except PlaneError as error:
        pytest.exit(f"KServe's controllers cannot be built (KSERVE=0 does without): {error}", returncode=1)


@pytest.fixture(scope="session")
def kserve_plane(plane_manifests: Sequence[Path]) -> Iterator[Plane]:
    """A plane with KServe, both its controllers, and our CRDs and manifests; no operator runs, and no node is there."""
    if not kserve_wanted():
        pytest.skip(f"KServe is left out by KSERVE={os.environ['KSERVE']}: unset it to run these tests")
    with Plane(manifests=plane_manifests, kserve=True, llmisvc=True) as started:
        install(started)
        yield started


@pytest.fixture(scope="session")
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
