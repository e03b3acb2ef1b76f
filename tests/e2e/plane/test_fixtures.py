"""What a run of pytest builds before its first test: nothing that only tests need which cannot run here."""

from types import SimpleNamespace
from typing import Any

import pytest

from e2e.plane.programs import FAMILIES
from tests import fixtures_node, fixtures_plane


class Item:
    """A test with these markers."""

    def __init__(self, *markers: str) -> None:
        self._markers = markers

    def get_closest_marker(self, name: str) -> str | None:
        return name if name in self._markers else None


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The families of each build that is asked for, on a machine without real nodes."""
    asked: list[Any] = []
    monkeypatch.setattr(fixtures_node, "reason", lambda: "a real node needs root")
    monkeypatch.setattr(fixtures_plane, "ensure_binaries", lambda *, families: asked.append(families))
    return asked


def finish(*items: Item) -> None:
    plugins = SimpleNamespace(getplugin=lambda _name: None)
    config = SimpleNamespace(option=SimpleNamespace(collectonly=False), pluginmanager=plugins)
    session: Any = SimpleNamespace(items=list(items), config=config)
    fixtures_plane.pytest_collection_finish(session)


def test_nothing_is_built_for_tests_that_will_be_skipped(built: list[Any]) -> None:
    finish(Item("plane", "needs_kubelet"), Item("plane", "kserve", "needs_kubelet"), Item())

    assert built == []


def test_a_plane_is_built_for_those_that_need_no_real_node(built: list[Any]) -> None:
    finish(Item("plane", "needs_kubelet"), Item("plane"))

    assert built == [FAMILIES]


def test_a_plane_is_built_for_tests_of_a_real_node_that_can_run(
    built: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fixtures_node, "reason", lambda: None)

    finish(Item("plane", "needs_kubelet"))

    assert built == [FAMILIES]
