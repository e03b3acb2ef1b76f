"""Reasons why there is no real node here, each with its remedy."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.plane import Plane
from e2e.plane.errors import NodeUnavailable
from e2e.plane.node import preflight
from tests import fixtures_node


@contextmanager
def another_user() -> Iterator[None]:
    """Whoever runs the tests: somebody who is not root."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if own == 0:
            os.seteuid(own)


def test_a_user_who_is_not_root_is_told() -> None:
    with another_user():
        told = preflight.why_not()

    assert told == "a real node needs root, for namespaces and control groups: run as root"


def test_a_plane_for_another_user_is_refused_before_anything_starts() -> None:
    plane = Plane(real_nodes=1)

    with another_user(), pytest.raises(NodeUnavailable, match="needs root"):
        plane.start()
    assert not hasattr(plane, "folder")


def test_another_system_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2e.plane.node.preflight.sys.platform", "darwin")

    assert preflight.why_not() == "a real node needs Linux, this is darwin"


def test_missing_tools_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2e.plane.node.preflight.os.geteuid", lambda: 0)
    (tmp_path / "ip").touch(mode=0o755)

    told = preflight.why_not({"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)})

    assert told is not None
    assert told.startswith("a real node needs unshare, nsenter, mount, apt-get, dpkg: install")


@pytest.mark.parametrize("folder", ["/var/lib/ci/cache", "/run/user/0", "/var/log/x"])
def test_a_cache_that_a_node_would_not_see_is_refused(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2e.plane.node.preflight.os.geteuid", lambda: 0)
    monkeypatch.setattr("e2e.plane.node.preflight.shutil.which", lambda tool, path=None: tool)

    told = preflight.why_not({"XDG_CACHE_HOME": folder})

    assert told is not None
    assert told.endswith("set XDG_CACHE_HOME to another folder")


class TestMarker:
    """What becomes of a marked test where no real node can run."""

    @pytest.fixture
    def item(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> pytest.Item:
        monkeypatch.setattr(fixtures_node, "reason", lambda: "a real node needs root")
        node: pytest.Item = request.node
        marker = pytest.mark.needs_kubelet.mark
        monkeypatch.setattr(node, "get_closest_marker", {"needs_kubelet": marker}.get)
        return node

    def test_it_is_skipped_with_the_reason(self, item: pytest.Item, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CI", raising=False)

        with pytest.raises(pytest.skip.Exception, match="a real node needs root"):
            fixtures_node.pytest_runtest_setup(item)

    def test_it_fails_under_continuous_integration(self, item: pytest.Item, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CI", "true")

        with pytest.raises(pytest.fail.Exception, match=r"a real node needs root .*CI is set"):
            fixtures_node.pytest_runtest_setup(item)

    def test_it_runs_where_a_node_can(self, item: pytest.Item, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fixtures_node, "reason", lambda: None)
        monkeypatch.setenv("CI", "true")

        fixtures_node.pytest_runtest_setup(item)
