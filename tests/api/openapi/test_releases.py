"""Nobody who runs the newest release is broken by today's definitions."""

import re
from pathlib import Path

import pytest

from api.openapi import crd, upgrade

ROOT = Path(__file__).parents[3]
RELEASES = ROOT / "e2e/releases"
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def released(changelog: str) -> list[str]:
    """The versions that a changelog has a heading for and a day of release, the newest first."""
    found = re.findall(r"^## \[([0-9]+\.[0-9]+\.[0-9]+)\](?! - Unreleased)", changelog, re.MULTILINE)
    return sorted(found, key=lambda version: [int(part) for part in version.split(".")], reverse=True)


def kept(folder: Path) -> list[str]:
    """The versions whose definitions are kept."""
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def test_the_newest_release_is_the_highest_number() -> None:
    changelog = "## [0.11.0] - Unreleased\n## [0.9.1] - 2027-01-02\n## [0.10.0] - 2027-01-03\n### [9.9.9]\n"
    assert released(changelog) == ["0.10.0", "0.9.1"]


def test_every_release_of_the_changelog_keeps_its_definitions_here_and_no_other_folder_does() -> None:
    assert kept(RELEASES) == sorted(released(CHANGELOG))


def test_todays_definitions_break_nobody_on_the_newest_release() -> None:
    newest = released(CHANGELOG)[0]
    changes = upgrade.changes(upgrade.read(RELEASES / newest / "crds"), crd.crds())
    assert [str(change) for change in changes if change.sort.breaks] == []


def test_a_break_since_a_release_would_be_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crd.write(tmp_path / "0.1.0" / "crds")
    kept_file = tmp_path / "0.1.0" / "crds" / "aim.amd.com_gpunodes.yaml"
    kept_file.write_text(kept_file.read_text(encoding="utf-8").replace("managed:", "owned:", 1), encoding="utf-8")
    monkeypatch.setitem(globals(), "RELEASES", tmp_path)
    monkeypatch.setitem(globals(), "CHANGELOG", "## [0.1.0] - 2027-01-01\n")
    with pytest.raises(AssertionError, match=r"spec\.owned: removed field"):
        test_todays_definitions_break_nobody_on_the_newest_release()
