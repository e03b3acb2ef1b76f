"""Texts of `aim-gpu explain` and of a plan on a cluster are those in tests/data/explain, written by explain_scenes."""

import pytest

from controller.cli.explain_view import HELD_UP
from controller.repartition.division import DIVIDING
from tests.controller.cli.explain_scenes import GOLDEN, SCENES, WIDTHS, texts


@pytest.mark.parametrize("name", [*(f"{scene}-{width}.txt" for scene in SCENES for width in WIDTHS), "plan.txt"])
async def test_the_text_is_the_golden_one(name: str) -> None:
    assert (await texts())[name] == (GOLDEN / name).read_text(encoding="utf-8")


async def test_no_text_is_wider_than_asked_for() -> None:
    for name, text in (await texts()).items():
        width = int(name.removesuffix(".txt").rpartition("-")[2]) if name != "plan.txt" else 10**6
        assert all(len(line) <= width for line in text.splitlines()), name


async def test_names_of_others_are_in_no_text_for_those_who_may_not_read_them() -> None:
    found = await texts()
    assert "theirs" in found["others-160.txt"]
    assert not any("theirs" in text for name, text in found.items() if "hidden" in name or "node" in name)


def test_no_golden_text_is_left_over() -> None:
    wanted = {*(f"{scene}-{width}.txt" for scene in SCENES for width in WIDTHS), "plan.txt"}
    assert {path.name for path in GOLDEN.iterdir()} == wanted


def test_a_claim_that_a_division_holds_up_is_one_of_those_that_are_held_up() -> None:
    assert DIVIDING in HELD_UP  # by its text, as nothing that decides is imported to draw a page
