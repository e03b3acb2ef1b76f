"""Pages that name files, tests and reasons: each is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from controller.entrypoints.main import AT_ONCE, VERBS
from tests.architecture.source import files
from tests.docs.blocks import ROOT
from tests.docs.condition_reasons import errors
from tests.docs.page_commands import DOCS

ARCHITECTURE = (DOCS / "architecture.md").read_text()
MISSION = (DOCS / "mission.md").read_text()
THREATS = (DOCS / "threats.md").read_text()
TROUBLES = (DOCS / "troubleshooting.md").read_text()
_PATH = re.compile(r"`((?:api|charts|controller|dashboards|docs|e2e|examples|handbook|olm|tests)/[\w./-]*)(::\w+)?`")


def named(text: str) -> list[tuple[str, str]]:
    """Every path that a text names, with the test in it."""
    return [(path, name.removeprefix("::")) for path, name in _PATH.findall(text)]


@pytest.mark.parametrize("page", ["architecture.md", "mission.md", "threats.md", "comparison.md", "troubleshooting.md"])
def test_what_a_page_names_is_there(page: str) -> None:
    for path, name in named((DOCS / page).read_text()):
        assert (ROOT / path).exists(), path
        assert not name or f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name}"


def test_the_tour_names_every_room_and_where_to_begin() -> None:
    rooms = {path.parent.name for path in (ROOT / "controller").glob("*/__init__.py")}
    rows = re.findall(r"^\| `controller/(\w+)` \| .* \| .* \| `(controller/[\w./]+)` \|$", ARCHITECTURE, re.MULTILINE)
    assert {room for room, _ in rows} == rooms
    assert all(begin.startswith(f"controller/{room}/") for room, begin in rows)


def test_the_tour_names_every_folder_with_something_in_it() -> None:
    around = ARCHITECTURE.partition("## Around it")[2]
    told = set(re.findall(r"`(\w+)/`", around)) | {"controller"}
    there = {path.parts[0] for path in tracked() if len(path.parts) > 1 and not path.parts[0].startswith(".")}
    assert there == told


@cache
def tracked() -> tuple[Path, ...]:
    """Files below the project's folders, without what is built."""
    tops = [top for top in ROOT.iterdir() if top.is_dir() and top.name not in {"build", "dist"}]
    return tuple(
        next(top.rglob("*")).relative_to(ROOT) for top in tops if any(top.iterdir()) and top.name != "__pycache__"
    )


@pytest.mark.parametrize("name", ["ModelScheduler", "ROCmPartitioner", "QoSManager"])
def test_a_class_stands_where_the_tour_says(name: str) -> None:
    (path,) = re.findall(rf"`(controller/[\w/]+\.py)` \(`{name}`\)", ARCHITECTURE)
    assert f"class {name}" in (ROOT / path).read_text()


def test_every_class_of_the_mission_stands_in_its_row() -> None:
    names = re.findall(r"^\| [^|]*\(((?:`\w+`(?:, )?)+)\) \| ([^|]*) \|", MISSION, re.MULTILINE)
    assert len(names) == 6
    for classes, where in names:
        text = "".join((ROOT / path).read_text() for path, _ in named(where) if (ROOT / path).is_file())
        for name in re.findall(r"`(\w+)`", classes):
            assert f"class {name}" in text, name


def test_every_row_of_the_mission_has_code_page_and_test() -> None:
    rows = [
        row.split("|")[1:-1] for row in MISSION.partition("## The invariants")[0].splitlines() if row.startswith("| ")
    ]
    assert len(rows) > 15
    for _, code, page, test in rows[2:]:
        assert named(code), code
        assert "](" in page
        assert named(test), test


def test_every_invariant_has_a_property_test_and_a_judge() -> None:
    rows = re.findall(r"^\| (\d)\. .* \| (`.*`) \| (`.*`) \|$", MISSION, re.MULTILINE)
    assert [int(number) for number, *_ in rows] == [*range(1, 9)]
    for number, _, judge in rows:
        assert (ROOT / judge.strip("`")).read_text().startswith(f'"""Invariant {number}:')


def test_every_threat_has_an_attacker_an_asset_and_a_test() -> None:
    table = THREATS.partition("## The table")[2].partition("## ")[0]
    rows = [row.split(" | ") for row in table.splitlines() if row.startswith("| ") and "| ---" not in row][1:]
    assert len(rows) > 20
    for who, tries, asset, _, shown in rows:
        assert re.search(r"\d", who), tries
        assert set(asset.split(", ")) <= set("ABCDEF")
        assert named(shown), tries
    assert {asset for row in rows for asset in row[2].split(", ")} == set("ABCDEF")
    assert {number for row in rows for number in re.findall(r"\d", row[0])} == set("1234567")


@cache
def words_of_the_code() -> frozenset[str]:
    """Every CamelCase word that stands in the code as a value: reasons, conditions, phases, kinds."""
    found = set(errors("SizingError"))
    for path in files("api", "controller"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[A-Z]\w*", node.value):
                found.add(node.value)
    return frozenset(found)


#: Words of Kubernetes' own.
KUBERNETES = {
    *("ContainerCreating", "ErrImagePull", "ImagePullBackOff", "SchedulingGated", "Terminating"),
    *("False", "True", "Unknown"),
}


def test_conditions_and_reasons_of_symptoms_are_words_of_the_code() -> None:
    told = set(re.findall(r"`([A-Z][a-z]+[A-Za-z]*)`", TROUBLES)) - KUBERNETES
    assert len(told) > 70
    assert told <= words_of_the_code(), told - words_of_the_code()


def test_every_symptom_has_a_command_a_reading_and_a_remedy() -> None:
    symptoms = TROUBLES.split("\n## ")[1:]
    assert len(symptoms) >= 10
    for symptom in symptoms:
        assert "```sh\n" in symptom, symptom.splitlines()[0]
        if not symptom.startswith("Everything at once"):
            assert re.search(r"^\| reading.* \| remedy \|$", symptom, re.MULTILINE), symptom.splitlines()[0]


def test_verbs_on_pages_are_verbs() -> None:
    for page in ("troubleshooting.md", "quick-start.md", "autoscaling.md", "placing.md", "modes.md", "comparison.md"):
        asked = re.findall(r"aim-gpu ([a-z]+)", (DOCS / page).read_text())
        assert set(asked) <= {*VERBS, *AT_ONCE}, page


def test_other_systems_are_told_with_their_sources_and_the_date() -> None:
    page = (DOCS / "comparison.md").read_text()
    assert re.search(
        r"in (January|February|March|April|May|June|July|August|September|October|November|December) 20\d\d", page
    )
    better = page.partition("## What each does better")[2].partition("\n## ")[0]
    parts = re.split(r"\n\n(?=\*\*)", better.strip())
    assert len(parts) >= 9
    assert [part for part in parts if "](http" not in part] == []
    table = page.partition("## In one table")[2].partition("\n## ")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ") and not row.startswith(("| system", "| ---"))]
    assert len(rows) > len(parts)
    assert [row for row in rows if "](http" not in row.split(" | ")[0]] == [row for row in rows if "**this**" in row]
