"""The page of metrics is written in place from the tables of instruments, and says every one of them."""

import re
from pathlib import Path

import pytest

from controller.cli.metrics_reference import main
from controller.telemetry.catalogue import PROCESSES, exported_by

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_committed_page_is_what_is_written(tmp_path: Path) -> None:
    copy = tmp_path / "page.md"
    copy.write_text(PAGE.read_text(encoding="utf-8").replace("| gauge", "| stale"), encoding="utf-8")
    main(["--into", str(copy)])
    assert copy.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_what_is_exported_is_documented_and_nothing_else_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_]+)` \| (?:gauge|counter|histogram)", page, flags=re.MULTILINE)
    exported = {name for process in PROCESSES for name in exported_by(process)}
    assert len(rows) == len(set(rows))
    assert set(rows) == exported


def test_a_process_that_is_none_of_ours_is_refused() -> None:
    with pytest.raises(ValueError, match="process 'router': is none of operator, agent, gateway, exporter"):
        exported_by("router")
