"""The README names what is there. Its example runs in tests/integration/runtime."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

from controller import runtime

ROOM = Path(runtime.__file__).parent
TEXT = (ROOM / "README.md").read_text()
EXAMPLE = TEXT.partition("```python\n")[2].partition("```")[0]


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
    ast.parse(EXAMPLE)
    assert 30 <= len([line for line in EXAMPLE.splitlines() if line.strip()]) <= 45


def test_its_example_tells_in_one_line_what_is_wrong_with_its_configuration(tmp_path: Path) -> None:
    environment = {**os.environ, "KUBECONFIG": str(tmp_path / "absent"), "PYTHONPATH": str(ROOM.parents[1])}
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", EXAMPLE],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=90,
        check=False,
    )
    assert ended.returncode == 2
    (line,) = ended.stdout.decode().splitlines()
    assert f"{tmp_path / 'absent'}: cannot be read" in line


LEAKING = """
def fails() -> None:
    password = "hunter" + "2"
    raise KeyError("spec")

try:
    fails()
except KeyError as error:
    structlog.get_logger().error("hit a bug", exc_info=error)
"""


def test_tracebacks_of_its_example_show_no_variables() -> None:
    (setting,) = (line for line in EXAMPLE.splitlines() if "exception_formatter" in line)
    said = subprocess.run(
        [sys.executable, "-c", f"import structlog\n{setting}\n{LEAKING}"],
        stdout=subprocess.PIPE,
        timeout=90,
        check=True,
        cwd=ROOM.parents[1],
    ).stdout.decode()
    assert "KeyError" in said
    assert "hunter2" not in said
