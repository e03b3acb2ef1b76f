"""Texts of `aim-gpu plan --cluster` are those in tests/data/plan, written by plan_scenes."""

import pytest

from tests.controller.cli.explain_scenes import WIDTHS
from tests.controller.cli.plan_scenes import GOLDEN, SCENES, texts

NAMES = [f"{scene}-{width}.txt" for scene in SCENES for width in WIDTHS]


@pytest.mark.parametrize("name", NAMES)
def test_the_text_is_the_golden_one(name: str) -> None:
    assert texts()[name] == (GOLDEN / name).read_text(encoding="utf-8")


def test_no_line_but_the_summary_is_wider_than_asked_for() -> None:
    for name, text in texts().items():
        width = int(name.removesuffix(".txt").rpartition("-")[2])
        assert all(len(line) <= width for line in text.splitlines()[:-1]), name


def test_no_golden_text_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(NAMES)
