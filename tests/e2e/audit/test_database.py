"""Advisories out of a folder: which versions they are of, and how old they may be."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from e2e.audit.__main__ import FOUND, UNSEEN, main
from e2e.audit.advisories import told
from e2e.audit.database import OLDEST_DAYS, look_up
from e2e.audit.vulnerabilities import AuditFailed, Weaknesses
from tests.architecture.source import ROOT

TODAY = datetime(2026, 11, 27, tzinfo=UTC)


def advisory(name: str = "Flask-X", modified: datetime = TODAY, **affected: Any) -> dict[str, Any]:
    package = {"ecosystem": "PyPI", "name": name}
    return {
        "id": "PYSEC-1",
        "modified": f"{modified:%Y-%m-%d}T00:00:00Z",
        "affected": [{"package": package, **affected}],
    }


def events(*found: Mapping[str, str], kind: str = "ECOSYSTEM") -> dict[str, Any]:
    return {"ranges": [{"type": kind, "events": list(found)}]}


SINCE_1 = events({"introduced": "1.0"}, {"fixed": "1.9"}, {"introduced": "2.0"}, {"last_affected": "2.5"})


@pytest.mark.parametrize(
    ("affected", "version", "want"),
    [
        ({"versions": ["1.0", "1.1"]}, "1.1", True),
        ({"versions": ["1.0", "1.1"]}, "1.1.0", True),
        ({"versions": ["1.0"]}, "1.2", False),
        (SINCE_1, "0.9", False),
        (SINCE_1, "1.0", True),
        (SINCE_1, "1.10", False),
        (SINCE_1, "1.9", False),
        (SINCE_1, "2.5", True),
        (SINCE_1, "2.5.1", False),
        (events({"introduced": "0"}), "9.0", True),
        (events({"introduced": "0"}, {"fixed": "of old"}), "9.0", True),
        (events({"introduced": "0"}, kind="GIT"), "9.0", False),
        ({"versions": [], "ranges": None}, "9.0", False),
    ],
)
def test_an_advisory_is_of_the_versions_it_names(affected: dict[str, Any], version: str, want: bool) -> None:
    assert (told(advisory(**affected), "flask-x", version) is not None) is want


def test_an_advisory_tells_where_it_is_mended() -> None:
    assert told(advisory(**SINCE_1), "flask-x", "1.0") == "flask-x 1.0: PYSEC-1, mended in 1.9"
    assert told(advisory(versions=["1"]), "flask-x", "1") == "flask-x 1: PYSEC-1, mended in no version yet"


def test_one_that_was_withdrawn_or_is_of_another_is_none() -> None:
    assert told({**advisory(versions=["1"]), "withdrawn": "2026-01-01"}, "flask-x", "1") is None
    assert told(advisory("other", versions=["1"]), "flask-x", "1") is None
    assert told(json.loads(json.dumps(advisory(versions=["1"])).replace("PyPI", "npm")), "flask-x", "1") is None


def database(folder: Path, modified: datetime = TODAY) -> Path:
    (folder / "vulns/flask-x").mkdir(parents=True)
    (folder / "vulns/flask-x/PYSEC-1.yaml").write_text(yaml.safe_dump(advisory(modified=modified, versions=["1.0"])))
    (folder / "GHSA-2.json").write_text(
        json.dumps({**advisory("h2.o", modified, versions=["2"]), "id": "GHSA-2"}, indent=2)
    )
    return folder


def test_a_folder_tells_of_all_that_is_shipped(tmp_path: Path) -> None:
    asked = [Requirement("flask_x==1.0"), Requirement("h2-o==2"), Requirement("safe==3")]
    want = ("flask-x 1.0: PYSEC-1, mended in no version yet", "h2-o 2: GHSA-2, mended in no version yet")
    assert look_up(database(tmp_path), asked, TODAY) == Weaknesses(want, ())
    assert look_up(tmp_path, [Requirement("safe==3")], TODAY) == Weaknesses((), ())


def test_a_folder_that_is_too_old_tells_what_it_knows_and_is_no_pass(tmp_path: Path) -> None:
    asked = [Requirement("flask-x==1.0"), Requirement("safe==3")]
    folder = database(tmp_path, TODAY - timedelta(days=OLDEST_DAYS))
    assert look_up(folder, asked, TODAY).unseen == ()
    found = look_up(folder, asked, TODAY + timedelta(days=1))
    assert (len(found.known), found.unseen) == (1, ("flask-x", "safe"))
    assert "ends 15 days ago (2026-11-13), 14 at most: copy it anew" in found.why


def test_a_folder_without_advisories_and_a_broken_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(AuditFailed, match="has no advisories"):
        look_up(tmp_path, [], TODAY)
    (database(tmp_path) / "bad.json").write_text('{"modified": "2026-11-27", flask-x')
    with pytest.raises(AuditFailed, match=r"bad\.json cannot be read"):
        look_up(tmp_path, [Requirement("flask-x==1.0")], TODAY)


def test_licences_are_told_though_nobody_can_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uv = ROOT / "build/uv/bin/uv"
    monkeypatch.setenv("UV", str(uv) if uv.exists() else "uv")
    assert main(["--database", str(tmp_path / "none")]) == UNSEEN
    out = capsys.readouterr().out
    assert "0 with one that is not allowed" in out
    assert "has no advisories: give a copy of pypa/advisory-database" in out
    monkeypatch.setattr("e2e.audit.licences.ALLOWED", frozenset({"MIT"}))
    assert main(["--database", str(tmp_path / "none")]) == FOUND
    assert "aiohttp: Apache-2.0" in capsys.readouterr().out
