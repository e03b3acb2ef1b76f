"""The page of plans is written in place, and what is generated already stays as it is."""

from pathlib import Path

from controller.cli.plan_page import main

PAGE = Path(__file__).parents[3] / "docs" / "repartitioning.md"


def test_the_committed_page_is_what_is_written(tmp_path: Path) -> None:
    copy = tmp_path / "page.md"
    copy.write_text(PAGE.read_text(encoding="utf-8").replace("stateDiagram-v2", "stale"), encoding="utf-8")
    main(["--into", str(copy)])
    assert copy.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")
