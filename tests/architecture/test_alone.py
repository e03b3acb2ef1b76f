"""`make test` runs tests that measure in a part of their own, and finds their files by what is written in them."""

import re

from tests.architecture.source import ROOT

RECIPE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_every_file_that_marks_a_test_as_alone_is_one_that_the_part_looks_into() -> None:
    (pattern, names) = re.findall(r"^ALONE = .*grep -rlE '(.+?)' --include='(.+?)' tests", RECIPE, re.MULTILINE)[0]
    marked = {path for path in (ROOT / "tests").rglob("*.py") if "mark.alone" in path.read_text(encoding="utf-8")}
    found = {path for path in (ROOT / "tests").rglob(names) if re.search(pattern, path.read_text(encoding="utf-8"))}
    assert marked == found
    assert len(found) > 5


def test_the_two_parts_leave_out_the_long_tests_of_real_nodes_and_nothing_else() -> None:
    chosen = re.findall(r'^\t\$\(PYTEST\) .*-m "(.+?)"', RECIPE, re.MULTILINE)
    assert chosen == ["not (alone or node_e2e)", "alone and not node_e2e"]
