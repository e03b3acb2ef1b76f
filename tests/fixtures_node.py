"""pytest plugin: a plane with one real node, for tests marked `needs_kubelet`.

Where no real node can run such a test is skipped with the reason; under continuous integration, which the variable `CI`
tells, it fails: nobody would notice otherwise that the tests are never run.
"""

import os
import uuid
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

from e2e.plane import Plane, PlaneError, ensure_binaries
from e2e.plane.node import RealNode, why_not
from e2e.plane.node.packages import ensure_packages
from e2e.plane.programs import FAMILIES, NODE_FAMILIES

_MARK = "needs_kubelet"
_LEFT = pytest.StashKey[int]()
_STARTED = pytest.StashKey[list[Plane]]()


@cache
def reason() -> str | None:
    """Why there is no real node here; asked once, it takes a moment."""
    return why_not()


def runs_here(item: pytest.Item) -> bool:
    """Whether a test is not kept from running by there being no real node."""
    return item.get_closest_marker(_MARK) is None or reason() is None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what a real node needs before the first test starts."""
    wanted = sum(item.get_closest_marker(_MARK) is not None for item in session.items)
    session.config.stash[_LEFT] = wanted
    session.config.stash[_STARTED] = []
    if not wanted or session.config.option.collectonly or reason() is not None:
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            ensure_binaries(families=(*FAMILIES, *NODE_FAMILIES))
            ensure_packages()
    except PlaneError as error:
        pytest.exit(f"the real node cannot be built: {error}", returncode=1)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot run here, or fail it where it must run."""
    if item.get_closest_marker(_MARK) is None or (told := reason()) is None:
        return
    if os.environ.get("CI"):
        pytest.fail(f"{told} (the variable CI is set, so that this is no reason to skip)", pytrace=False)
    pytest.skip(told)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Stop the plane after the last test for it: a second control plane would take time from all that follow."""
    yield
    if item.get_closest_marker(_MARK) is not None:
        item.config.stash[_LEFT] -= 1
        if item.config.stash[_LEFT] == 0:
            for plane in item.config.stash[_STARTED]:
                plane.stop()


@pytest.fixture(scope="session")
def node_plane(pytestconfig: pytest.Config, plane_manifests: Sequence[Path]) -> Iterator[Plane]:
    """The control plane of this run that has a real node, real-1, and no other nodes; for marked tests only."""
    with Plane(manifests=plane_manifests, real_nodes=1) as started:
        pytestconfig.stash[_STARTED].append(started)
        yield started


@pytest.fixture(scope="session")
def real_node(node_plane: Plane) -> RealNode:
    """The real node of that plane."""
    return node_plane.nodes[0]


@pytest.fixture
def node_namespace(node_plane: Plane) -> Iterator[str]:
    """A fresh namespace of that plane in which pods may be created; its deletion is not waited for."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    node_plane.admin.create("/api/v1/namespaces", {"metadata": {"name": name}})
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    node_plane.wait_until(
        lambda: node_plane.admin.find(account) is not None, f"namespace {name} has its ServiceAccount"
    )
    yield name
    node_plane.admin.delete(f"/api/v1/namespaces/{name}")
