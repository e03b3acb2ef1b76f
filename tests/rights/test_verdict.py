"""A right that nothing needed is told, one that admission alone asks for is not."""

from pathlib import Path

from tests.rights.__main__ import FILES, used_by, verdict
from tests.rights.grants import Grant
from tests.rights.requests import Request

GET = Grant("aim-gpu-operator", "", "", "pods", "", "get")
PLANTED = Grant("aim-gpu-operator", "", "", "secrets", "", "list")
OWNER = Grant("aim-gpu-operator", "", "", "configmaps", "", "delete")
ASKED = {"one.py": {Request("aim-gpu-operator", "get", "", "pods", "near", "x")}, "two.py": set[Request]()}


def test_a_planted_right_is_noticed() -> None:
    assert verdict({GET, PLANTED, OWNER}, ASKED) == ["aim-gpu-operator: list secrets"]
    assert verdict({GET, OWNER}, ASKED) == []


def test_a_right_counts_for_the_first_file_that_uses_it() -> None:
    assert used_by({GET, OWNER}, {**ASKED, "two.py": ASKED["one.py"]}) == ["   1 one.py", "   0 two.py"]


def test_the_files_that_are_run_are_there() -> None:
    root = Path(__file__).parents[2]
    assert [file for file in FILES if not (root / file).exists()] == []
