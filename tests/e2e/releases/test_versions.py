"""One version everywhere it stands, and the releases that are kept are whole."""

import hashlib
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from tests.architecture.source import ROOT, project

CHANGELOG = ROOT / "CHANGELOG.md"
CHART = ROOT / "charts/aim-gpu-sharing/Chart.yaml"
RELEASES = ROOT / "e2e/releases"
OURS = "aim-gpu-sharing"


def locked_version(lock: Path, name: str = OURS) -> str:
    """The version that a lock file has of a distribution."""
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    return str(next(package["version"] for package in packages if package["name"] == name))


def first_heading(changelog: str) -> str:
    """The version that a changelog names first."""
    found = re.search(r"^## \[([^]]+)\]", changelog, re.MULTILINE)
    assert found is not None, "CHANGELOG.md has no heading of a version"
    return found[1]


def test_source_lock_chart_and_changelog_name_one_version() -> None:
    chart = yaml.safe_load(CHART.read_text(encoding="utf-8"))
    named = {
        "pyproject.toml": project()["project"]["version"],
        "uv.lock": locked_version(ROOT / "uv.lock"),
        "Chart.yaml version": chart["version"],
        "Chart.yaml appVersion": chart["appVersion"],
        "CHANGELOG.md": first_heading(CHANGELOG.read_text(encoding="utf-8")),
    }
    assert len(set(named.values())) == 1, named


def objects(folder: Path) -> list[dict[str, Any]]:
    """Every object in the YAML files below a folder."""
    documents = [yaml.safe_load_all(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.yaml"))]
    return [found for document in documents for found in document if found]


def test_a_release_that_is_kept_has_its_definitions_its_manifests_and_its_lock() -> None:
    folders = [path for path in RELEASES.iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        assert locked_version(folder / "uv.lock") == folder.name
        assert {found["kind"] for found in objects(folder / "crds")} == {"CustomResourceDefinition"}
        assert {found["kind"] for found in objects(folder / "manifests")} >= {"Deployment", "DaemonSet", "ClusterRole"}


def changed(folder: Path) -> list[str]:
    """The files of a release that are not what its SHA256SUMS says, that it has no line for, or that are gone."""
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    said = {name.removeprefix("./"): digest for digest, _, name in (line.partition("  ") for line in lines)}
    there = [path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    found = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in there}
    return sorted(name for name in said.keys() | found.keys() if said.get(name) != found.get(name))


def test_nobody_edits_a_release_that_is_kept() -> None:
    for folder in (path for path in RELEASES.iterdir() if path.is_dir()):
        assert changed(folder) == []


def test_an_edit_a_removal_and_an_addition_would_be_noticed(tmp_path: Path) -> None:
    for name in ("kept", "edited", "removed"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    digests = [f"{hashlib.sha256(name.encode()).hexdigest()}  ./{name}\n" for name in ("kept", "edited", "removed")]
    (tmp_path / "SHA256SUMS").write_text("".join(digests), encoding="utf-8")
    assert changed(tmp_path) == []
    (tmp_path / "edited").write_text("otherwise", encoding="utf-8")
    (tmp_path / "removed").unlink()
    (tmp_path / "added").touch()
    assert changed(tmp_path) == ["added", "edited", "removed"]
