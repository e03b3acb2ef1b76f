"""Layers that are kept."""

import os
from pathlib import Path

from e2e.image.store import LayerStore, chained
from e2e.image.tree import difference, scan


def added(store: LayerStore, tmp_path: Path, key: str) -> None:
    (tmp_path / "root").mkdir(exist_ok=True)
    store.add(key, "RUN true", tmp_path / "root", difference({}, scan(tmp_path / "root")), 0)


def test_a_layer_is_found_by_its_key_and_no_other(tmp_path: Path) -> None:
    store = LayerStore(tmp_path / "layers")
    added(store, tmp_path, "a")
    found = store.find("a")
    assert found is not None
    assert found.size == store.archive("a").stat().st_size
    assert store.find("b") is None


def test_what_was_not_used_for_long_goes_and_what_a_killed_build_left(tmp_path: Path) -> None:
    store = LayerStore(tmp_path / "layers")
    for key in ("old", "new"):
        added(store, tmp_path, key)
    os.utime(store.folder / "old.json", (0, 0))
    (store.folder / ".half.1").write_text("")
    store.prune()
    assert sorted(path.name for path in store.folder.iterdir()) == ["new.json", "new.tar"]


def test_texts_are_not_mistaken_for_others_when_chained() -> None:
    assert chained("ab", "c") != chained("a", "bc")
