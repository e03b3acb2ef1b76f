"""The README names what is there. Its example runs in tests/integration/runtime."""

import ast
import re
from pathlib import Path

from controller import runtime

ROOM = Path(runtime.__file__).parent
TEXT = (ROOM / "README.md").read_text()


def test_every_file_it_names_is_there() -> None:
    rows = [
        line for line in TEXT.partition("## The parts")[2].partition("##")[0].splitlines() if line.startswith("| `")
    ]
    named = [name for row in rows for name in re.findall(r"`([\w/]+(?:\.py|/))`", row.split("|")[1])]
    assert len(named) > 20
    assert [name for name in named if not (ROOM / name).exists()] == []


def test_every_word_of_ours_in_its_vocabulary_is_there() -> None:
    rows = [line.split("|")[2] for line in TEXT.partition("## For readers")[2].splitlines() if line.startswith("| `")]
    words = {
        word
        for row in rows
        for quoted in re.findall(r"`([^`]+)`", row)
        for word in re.findall(r"[A-Za-z_]{4,}", quoted)
    }
    source = "\n".join(file.read_text() for file in ROOM.rglob("*.py"))
    assert sorted(word for word in words - {"from", "raise"} if not re.search(rf"\b{word}\b", source)) == []


def test_its_example_has_some_40_lines() -> None:
    example = TEXT.partition("```python\n")[2].partition("```")[0]
    ast.parse(example)
    assert 30 <= len([line for line in example.splitlines() if line.strip()]) <= 45
