"""pytest plugin: one local control plane for a run, one namespace for a test.

Registered by `pytest_plugins` in `tests/conftest.py`. Tests that use it carry `@pytest.mark.plane`: the programs are
then built after collection, outside of any test's time limit, with their progress on the terminal.
"""

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from e2e.plane import Plane, PlaneError, ensure_binaries, wanted_families
from e2e.plane.programs import FAMILIES
from tests.fixtures_node import runs_here


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the selected tests need before the first of them starts."""
    if session.config.option.collectonly:
        return
    wanted = [item for item in session.items if item.get_closest_marker("plane") is not None and runs_here(item)]
    if not wanted:
        return
    families = wanted_families() if any(item.get_closest_marker("kserve") for item in wanted) else FAMILIES
    capture = session.config.pluginmanager.getplugin("capturemanager")
    try:
        if capture is None:
            ensure_binaries(families=families)
        else:
            with capture.global_and_fixture_disabled():
                ensure_binaries(families=families)
    except PlaneError as error:
        pytest.exit(f"the local control plane cannot be built: {error}", returncode=1)


@pytest.fixture(scope="session")
def plane_manifests() -> Sequence[Path]:
    """YAML files applied before the controllers start; a conftest overrides it to install CRDs."""
    return ()


@pytest.fixture(scope="session")
def plane(plane_manifests: Sequence[Path]) -> Iterator[Plane]:
    """The control plane of this run, without nodes."""
    with Plane(manifests=plane_manifests) as started:
        yield started


@pytest.fixture
def namespace(plane: Plane) -> Iterator[str]:
    """A fresh namespace in which pods may be created; its deletion is not waited for."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    plane.admin.create("/api/v1/namespaces", {"metadata": {"name": name}})
    # admission refuses pods until the controllers have made the ServiceAccount
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    plane.wait_until(lambda: plane.admin.find(account) is not None, f"namespace {name} has its ServiceAccount")
    yield name
    plane.admin.delete(f"/api/v1/namespaces/{name}")
