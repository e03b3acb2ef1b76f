import json
import re
from pathlib import Path

import pytest

from controller.agent.fault_file import load_script
from controller.agent.simulated_faults import Durations
from controller.cli.hardware_page import TABLES, filled, main

PAGE = Path(__file__).parents[3] / "docs" / "hardware.md"


def test_the_page_has_every_table_as_the_code_has_it() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert filled(text) == text, "run python -m controller.cli.hardware_page --into docs/hardware.md"


def test_a_table_that_drifted_is_written_anew(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(text.replace("196592", "196608"), encoding="utf-8")
    main(["--into", str(page)])
    assert page.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("mark", [*(f"<!-- table of {name} -->" for name in TABLES), "<!-- end of table -->"])
def test_a_page_without_a_mark_is_refused(mark: str) -> None:
    with pytest.raises(ValueError, match="put both back"):
        filled(PAGE.read_text(encoding="utf-8").replace(mark, ""))


def test_the_script_on_the_page_can_be_played(tmp_path: Path) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "faults.json"
    file.write_text(example)
    assert len(load_script(file).faults) == len(json.loads(example)["faults"])
    assert load_script(file).durations == Durations()
