"""Tables of `kubectl get` that pages show have the columns that there are now."""

import re
from typing import Final

from api.openapi.kind import KINDS
from tests.docs.blocks import blocks, pages

HEAD: Final = re.compile(r"^(?:NAMESPACE +)?NAME {2,}[A-Z].*$", re.MULTILINE)


def columns() -> set[tuple[str, ...]]:
    """Of every kind in every version, the heads of its columns."""
    return {
        tuple(column.name.upper() for column in version.columns if not column.priority)
        for kind in KINDS
        for version in kind.versions.values()
    }


def test_shown_tables_have_the_columns_of_a_kind() -> None:
    known, seen = columns(), 0
    for page in pages():
        for block in blocks(page):
            for head in HEAD.findall(block.text):
                names = re.split(r" {2,}", head.partition("NAME ")[2].strip())
                shown = tuple(names[:-1] if names[-1] == "..." else names)
                seen += 1
                assert any(shown == each[: len(shown)] for each in known), f"{block}: {head}"
                assert names[-1] in ("...", "AGE"), f"{block}: {head}"
    assert seen > 10
