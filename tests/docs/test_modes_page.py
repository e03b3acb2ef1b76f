"""The page on modes says of each mode whether AMD has validated it, as the table of products does."""

import re
from typing import Final

from controller.gpu.mode import Mode
from controller.gpu.product import PRODUCTS
from tests.docs.page_commands import DOCS

PAGE: Final = (DOCS / "modes.md").read_text(encoding="utf-8")
MODE: Final = re.compile(r"\b[SDTQC]PX/NPS\d\b")


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    table = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return found[2:]


def test_what_is_recommended_says_whether_a_policy_allows_it_by_default() -> None:
    told = {Mode.parse(mode): row[2] for row in rows("Choosing") for mode in MODE.findall(row[1])}
    assert set(told.values()) == {"yes", "no"}
    for mode, validated in told.items():
        assert (mode in PRODUCTS["MI300X"].validated) == (validated == "yes"), mode
    assert PRODUCTS["MI300X"].validated <= told.keys()


def test_every_product_is_in_the_table_of_validated_modes() -> None:
    left = {name: product.validated for name, product in PRODUCTS.items()}
    for products, modes, _ in rows("Only what AMD has validated"):
        names = list(left) if products == "all others" else products.split(", ")
        for name in names:
            assert left.pop(name) == {Mode.parse(mode) for mode in MODE.findall(modes)}, name
    assert left == {}
