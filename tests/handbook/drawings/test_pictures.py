"""Pictures are those that are committed, can be read in light and dark, and say in words what they show."""

import re
from xml.etree import ElementTree

import pytest

from controller.repartition.phases import TRANSITIONS
from handbook.borrowed import ROOT
from handbook.drawings.gallery import PICTURES
from handbook.drawings.phases import PLACES, phases
from handbook.drawings.rooms import PURE, layers
from handbook.drawings.svg import PALETTE, Picture
from tests.architecture.source import project

DOCS = ROOT / "docs"
DRAWN = [draw() for draw in PICTURES]
BY_NAME = pytest.mark.parametrize("picture", DRAWN, ids=lambda picture: picture.name)
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")


@BY_NAME
def test_the_file_is_what_is_drawn(picture: Picture) -> None:
    text = (DOCS / f"images/{picture.name}.svg").read_text(encoding="utf-8")
    assert text == picture.svg(), "run make generate"


@BY_NAME
def test_who_does_not_see_it_is_told(picture: Picture) -> None:
    tree = ElementTree.fromstring(picture.svg())
    told = [tree.findtext(f"{{http://www.w3.org/2000/svg}}{name}") or "" for name in ("title", "desc")]
    assert len(told[0]) > 10
    assert len(told[1]) > 60


@BY_NAME
def test_words_have_room(picture: Picture) -> None:
    assert [word for word in picture.words if word.width > word.room] == []


@BY_NAME
def test_nothing_is_asked_of_others(picture: Picture) -> None:
    assert set(re.findall(r"https?://[^\"' )]+", picture.svg())) == {"http://www.w3.org/2000/svg"}


def luminance(colour: str) -> float:
    """WCAG's relative luminance of #rrggbb."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG's contrast, 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_measured_right() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("name", PALETTE)
@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_words_can_be_read_and_boxes_be_seen(name: str, scheme: int) -> None:
    fill, border, ink = PALETTE[name][scheme]
    page = PALETTE["page"][scheme][0]
    assert contrast(fill, ink) >= 7
    assert name == "page" or contrast(page, border) >= 3


def test_every_picture_is_on_a_page_and_every_image_says_what_it_is() -> None:
    shown = {}
    for page in [*DOCS.rglob("*.md"), ROOT / "README.md"]:
        for alt, target in IMAGE.findall(page.read_text(encoding="utf-8")):
            assert len(alt) > 10, f"{page.name}: {target}"
            shown[target.rpartition("/")[2]] = alt
    assert {f"{picture.name}.svg" for picture in DRAWN} <= set(shown)


def test_phases_are_all_of_the_table() -> None:
    drawn = phases()
    assert set(PLACES) == {phase for phase, _ in TRANSITIONS} | set(TRANSITIONS.values())
    words = " ".join(word.text for word in drawn.words)
    for (phase, event), target in TRANSITIONS.items():
        assert f"{phase} to {target} on " in drawn.told
        assert str(event) in drawn.told
        assert str(phase) in words


def test_rooms_are_coloured_by_the_contract() -> None:
    contracts = project()["tool"]["importlinter"]["contracts"]
    (pure,) = [one for one in contracts if one["name"].startswith("Pure rooms")]
    whole = {one.removeprefix("controller.") for one in pure["source_modules"] if one.count(".") == 1}
    assert whole == PURE
    assert {room for layer in layers() for room in layer} >= PURE
