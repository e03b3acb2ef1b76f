import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.plane.cache import version_key
from tests.benchmarks.controller.programs import FAMILY


def test_the_peer_is_of_the_version_that_its_name_in_the_cache_says() -> None:
    modules = (FAMILY.module / "go.mod").read_text()
    assert f"sigs.k8s.io/controller-runtime v{FAMILY.version}\n" in modules


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(FAMILY.module, tmp_path / FAMILY.name)
    return tmp_path


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "scenario.go"])
def test_another_peer_is_another_binary(copied: Path, name: str) -> None:
    family = replace(FAMILY, parent=copied)
    before = version_key(family)
    assert before == version_key(FAMILY)
    (family.module / name).write_text("changed")
    assert version_key(family) != before
