"""Texts of verbs with tables are those in tests/data/cli, written by `python -m tests.controller.cli.golden`."""

import pytest

from tests.controller.cli.explain_scenes import WIDTHS
from tests.controller.cli.verb_scenes import AS_WIDE_AS_IT_IS, GOLDEN, SCENES


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scene", SCENES)
def test_the_text_is_the_golden_one(scene: str, width: int) -> None:
    text = SCENES[scene](width)
    assert text == (GOLDEN / f"{scene}-{width}.txt").read_text(encoding="utf-8")
    widest = max(map(len, text.splitlines()[: -1 if scene == "drain" else None]))
    assert widest <= width or scene in AS_WIDE_AS_IT_IS
    assert "\x1b" not in text


def test_no_golden_text_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {f"{scene}-{width}.txt" for scene in SCENES for width in WIDTHS}
