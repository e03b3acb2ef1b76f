"""A Go that cannot download, and YAML as Go modules have it."""

import json
import os
from pathlib import Path

import pytest

from e2e.plane.errors import BuildError
from e2e.plane.module_manifests import module_folder, read_manifests, write_manifests
from e2e.plane.programs import KSERVE, Manifests

MANIFESTS = Manifests("copied.json", "example.com/module", ("one.yaml",), 1)


def go(folder: Path, script: str) -> Path:
    path = folder / "go"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_objects_are_copied_unchanged_without_empty_documents(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("---\nkind: A\nnested: {list: [1, 'x', null]}\n---\n---\nkind: B\n")
    answer = json.dumps({"Path": "example.com/module", "Dir": str(tmp_path)})

    write_manifests(KSERVE, MANIFESTS, go(tmp_path, f"echo '{answer}'"), tmp_path / "out.json", os.environ)

    want = [{"kind": "A", "nested": {"list": [1, "x", None]}}, {"kind": "B"}]
    assert read_manifests(tmp_path / "out.json") == {"one.yaml": want}


def test_a_module_that_cannot_be_had_is_told_in_gos_words(tmp_path: Path) -> None:
    failing = go(tmp_path, "echo 'no such host' >&2; exit 1")

    with pytest.raises(BuildError, match=r"mod download -json example\.com/module ended with 1:\nno such host"):
        module_folder(KSERVE, "example.com/module", failing, os.environ)
