"""Commands of pages that need no cluster, run as they stand there; what a page shows of an answer is what comes."""

import os
import re
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, Block, blocks, is_shown, pages, statements
from tests.docs.page_commands import run
from tests.docs.shown_output import lacks
from tests.docs.treatments import OFFLINE, treatment

BLOCKS = [
    block
    for page in pages()
    for block in blocks(page)
    if (block.language == "sh" or is_shown(block)) and treatment(block) == OFFLINE
]
ON_A_CLUSTER = ("kubectl ", "aim-gpu explain ")
"""Shown on such a page as well, and run by `tests/integration/cli` and `tests/integration/stories`."""
NEEDED = ("api", "charts", "controller", "docs", "e2e", "examples", "tests")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like the project's, in which commands may write."""
    for name in NEEDED:
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


def asked(block: Block) -> list[tuple[str, str | None]]:
    """Commands with what a page shows of their answers, None where it shows nothing."""
    if not is_shown(block):
        return [(command, None) for command in statements(block.text)]
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    return [(head, answer) for head, _, answer in (part.partition("\n") for part in parts)]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
async def test_a_command_answers_as_the_page_says(block: Block, folder: Path) -> None:
    for command, answer in asked(block):
        if command.startswith(ON_A_CLUSTER):
            continue
        refused = (answer or "").startswith("error: ")
        script = f"cd {folder} && {{ {command}\n}}" + (" && exit 1 || true" if refused else "")
        told = await run(script, Path(os.devnull), folder, columns=400)
        if answer:
            assert (line := lacks(answer, told)) is None, f"{command}: does not answer {line!r}"


def test_some_are_run() -> None:
    assert len(BLOCKS) > 8
