import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import files, module

LONGEST_FILE = 600
LONGEST_FUNCTION = 80


def test_no_file_is_too_long_to_read() -> None:
    found = files("api", "controller", "dashboards", "e2e", "handbook", "olm", "tests")
    lines = {module(path): path.read_text().count("\n") for path in found}
    assert len(lines) > 200
    assert {name: count for name, count in lines.items() if count > LONGEST_FILE} == {}


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Every function of a file, also within classes and functions, with its lines from def to end."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{module(path)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_no_function_is_too_long_to_read() -> None:
    lines = [
        found
        for path in files("api", "controller", "dashboards", "e2e", "handbook", "olm")
        for found in functions(path)
    ]
    assert len(lines) > 1000
    assert [found for found in lines if found[1] > LONGEST_FUNCTION] == []


def test_a_long_function_would_be_noticed() -> None:
    assert dict(functions(Path(__file__)))["tests.architecture.test_budgets:functions"] == 5
