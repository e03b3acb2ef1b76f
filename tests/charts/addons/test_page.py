"""The page on deploying names values that there are, with their defaults, and leaves no section out."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.chart import CHART

PAGE = (Path(__file__).parents[3] / "docs/deploying.md").read_text()
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
ROWS = re.findall(
    r"^\| (`[a-z].*?) \| (.*?) \| ", PAGE[PAGE.index("### Values") : PAGE.index("### Gateway")], re.MULTILINE
)
NAMED = sorted(set(re.findall(r"`([a-z][A-Za-z]+(?:\.[a-zA-Z]+)+)(?:=[^`]*)?`", PAGE)) | {"commonLabels"})
OTHERS = re.compile(r"\.(yaml|sh|md|deny|amd\.com)$|^(aim|gpu|pod-security)\.|^e2e")


def value(path: str) -> Any:
    """What stands at a dotted path; KeyError where nothing does."""
    found: Any = VALUES
    for key in path.split("."):
        found = found[key]
    return found


@pytest.mark.parametrize("path", [name for name in NAMED if not OTHERS.search(name)])
def test_every_value_that_the_page_names_is_there(path: str) -> None:
    value(path)


def test_no_section_of_values_is_left_out() -> None:
    told = {name.partition(".")[0] for names, _ in ROWS for name in re.findall(r"`([^`]*)`", names)}
    assert told == VALUES.keys()


SCALARS = [
    pytest.param(name, default, id=name)
    for names, defaults in ROWS
    for name, default in zip(re.findall(r"`([^`]*)`", names), re.findall(r"`([^`]*)`", defaults), strict=False)
    if not isinstance(value(name), dict)
]


@pytest.mark.parametrize(("name", "default"), [row for row in SCALARS if row.id != "exporter.gatewayTells"])
def test_defaults_are_those_of_the_chart(name: str, default: str) -> None:
    assert yaml.safe_load(default) == value(name)


def test_most_rows_tell_a_default_that_can_be_compared() -> None:
    assert len(SCALARS) >= 25
