"""The committed files: as generated, and as Grafana identifies them."""

import json

import pytest

from dashboards.__main__ import files
from dashboards.queries import FOLDER, panels
from tests.dashboards.chosen import COMMITTED, Board

BOARDS = pytest.mark.parametrize("board", COMMITTED.values(), ids=COMMITTED)


def test_the_committed_files_are_as_generated() -> None:
    assert {path.name: path.read_text() for path in FOLDER.iterdir()} == files(), "run make generate"


def test_making_them_twice_gives_the_same() -> None:
    assert files() == files()


def test_addresses_that_people_saved_stay() -> None:
    assert {name: board["uid"] for name, board in COMMITTED.items()} == {
        "model-performance": "aim-gpu-models",
        "overview": "aim-gpu-overview",
        "partition-utilization": "aim-gpu-partitions",
        "scheduler-metrics": "aim-gpu-scheduler",
    }


@BOARDS
def test_grafana_takes_the_schema_as_it_is(board: Board) -> None:
    assert 39 <= board["schemaVersion"] <= 41


@BOARDS
def test_a_file_names_no_installation(board: Board) -> None:
    assert "id" not in board
    assert "version" not in board
    assert {json.dumps(panel["datasource"]) for panel in panels(board)} == {
        '{"type": "prometheus", "uid": "${datasource}"}'
    }


@BOARDS
def test_each_target_asks_the_chosen_source_under_a_letter_of_its_own(board: Board) -> None:
    for panel in panels(board):
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == sorted(set(letters))


@BOARDS
def test_numbers_of_panels_are_their_own_and_begin_with_their_sections(board: Board) -> None:
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(numbers) == len(set(numbers))
    section = 0
    for panel in board["panels"]:
        if panel["type"] == "row":
            section = panel["id"]
            assert section % 100 == 0
        assert section <= panel["id"] < section + 100, panel["title"]
