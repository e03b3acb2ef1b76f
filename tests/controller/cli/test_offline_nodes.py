"""What a file of nodes for a plan may say is told by the help and by the page."""

import re
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

from controller.cli.offline_nodes import OfflineNode
from controller.cli.plan import plan

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"
FIELDS = {field.name for field in fields(OfflineNode)}


def test_the_help_names_every_field_of_a_node() -> None:
    hint = get_type_hints(plan, include_extras=True)["nodes"]
    (option,) = hint.__metadata__
    named = re.search(r"nodes: \[\{(.*?)\}\]", option.help)
    assert named is not None
    assert set(named[1].split(", ")) == FIELDS


def test_the_page_has_a_row_for_every_field_of_a_node() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("The file of `--nodes`")[2].partition("\n\nOn a copy")[0]
    firsts = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    assert {name for first in firsts for name in re.findall(r"`(\w+)`", first)} == FIELDS
