"""docs/cli.md: every verb is there by example, and answers as it says. `python -m tests.docs.cli_page` renews it."""

from pathlib import Path

import pytest

from api.openapi.marked_page import with_tables
from controller.cli.exit_codes import MEANINGS, ExitCode, table
from controller.entrypoints.main import AT_ONCE, VERBS
from tests.docs.cli_page import PAGE, answered, blocks, commands

TEXT = PAGE.read_text(encoding="utf-8")
PROCESSES = {"operator", "agent", "gateway", "exporter", "ui-server"}


@pytest.mark.parametrize("number", range(len(commands(TEXT))), ids=[each[0][:60] for each in commands(TEXT)])
async def test_a_command_answers_as_the_page_says(number: int, tmp_path: Path) -> None:
    assert await answered(commands(TEXT)[number], tmp_path) == blocks(TEXT)[number]


def test_the_exit_codes_are_those_of_the_code() -> None:
    assert with_tables(TEXT, {"exit codes": table()}) == TEXT
    assert set(MEANINGS) == set(ExitCode)


def test_every_verb_is_there_by_example() -> None:
    shown = {command.split()[1] for block in commands(TEXT) for command in block if command.startswith("aim-gpu ")}
    assert {*VERBS, *AT_ONCE} - PROCESSES - {"ui", "rocm"} <= shown | {"completion"}
    assert all(f"`{verb}`" in TEXT for verb in (*VERBS, *AT_ONCE))
