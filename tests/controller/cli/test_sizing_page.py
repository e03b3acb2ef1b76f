from pathlib import Path

import pytest

from controller.cli.sizing_page import filled, main

PAGE = Path(__file__).parents[3] / "docs" / "sizing.md"


def test_the_page_has_the_table_as_sizing_finds_it() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert filled(text) == text, "run python -m controller.cli.sizing_page --into docs/sizing.md"


def test_a_table_that_drifted_is_written_anew(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(text.replace("| dense |", "| dense, once |"), encoding="utf-8")
    main(["--into", str(page)])
    assert page.read_text(encoding="utf-8") == text


def test_a_page_without_its_mark_is_refused() -> None:
    with pytest.raises(ValueError, match="put both back"):
        filled(PAGE.read_text(encoding="utf-8").replace("<!-- table of examples -->", ""))
