import re
from pathlib import Path

import pytest

from controller.cli.size_page import EXAMPLES, example, filled, main

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "sizing-examples.md"


def test_the_page_shows_what_each_command_answers() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert filled(text) == text, "run python -m controller.cli.size_page --into docs/sizing-examples.md"


def test_an_answer_that_drifted_is_written_anew(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(text.replace("MI300X", "MI200X"), encoding="utf-8")
    main(["--into", str(page)])
    assert page.read_text(encoding="utf-8").count("MI300X") > 20


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_answers(name: str) -> None:
    assert ("error: " in example(EXAMPLES[name])) == (name == "refused")


def test_the_readme_shows_lines_of_the_answer() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\$ aim-gpu size (.*)\n((?:(?!\$|```).*\n)+)", readme, re.MULTILINE)
    assert len(shown) == 2
    for arguments, lines in shown:
        answer = example(arguments).splitlines()
        assert [line for line in lines.splitlines() if line not in answer] in ([], ["..."])
