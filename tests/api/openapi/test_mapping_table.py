"""The page on v1alpha1 has the tables that the rows give."""

from pathlib import Path

import pytest

from api.conversion.convert import MAPPINGS
from api.conversion.kind_mapping import KindMapping
from api.openapi import mapping_table

PAGE = Path(__file__).parents[3] / "docs/v1alpha1.md"


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert mapping_table.filled(page) == page, (
        "write the tables again: python -m api.openapi.mapping_table --into docs/v1alpha1.md"
    )


@pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=MAPPINGS.keys())
def test_every_row_is_in_the_page(mapping: KindMapping) -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for row in mapping.rows:
        assert [line for line in lines if line.startswith(f"| `{row.field}` |") and f"`{'.'.join(row.path)}`" in line]


def test_a_stale_table_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text(encoding="utf-8").replace("`memoryGB` | text", "`memoryGB` | number"))
    mapping_table.main(["--into", str(page)])
    assert page.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="table of InferenceService"):
        mapping_table.filled("# nothing\n")
    with pytest.raises(ValueError, match="table of InferenceService"):
        mapping_table.filled("<!-- table of InferenceService -->\nno end\n")
