import ast
import doctest
import importlib
import pkgutil
from types import ModuleType

import pytest

from tests.architecture.source import ROOT, SHIPPED, files, module

PACKAGES = [module(path) for path in files(*SHIPPED) if path.name == "__init__.py"]


def failures_in(package: ModuleType) -> doctest.TestResults:
    """The outcome of the example in the package's own docstring."""
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    parsed = doctest.DocTestParser().get_doctest(package.__doc__ or "", {}, package.__name__, package.__file__, 0)
    return runner.run(parsed)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_says_what_it_is_and_its_example_runs(name: str) -> None:
    package = importlib.import_module(name)
    assert package.__doc__, f"{name} opens with no docstring"
    assert failures_in(package).failed == 0


def test_an_example_that_is_wrong_would_be_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = ModuleType("wrong", "It says:\n\n    >>> 1 + 1\n    3\n")
    wrong.__file__ = "wrong.py"
    assert failures_in(wrong).failed == 1
    capsys.readouterr()


def test_most_rooms_show_a_runnable_example() -> None:
    with_example = [name for name in PACKAGES if ">>>" in (importlib.import_module(name).__doc__ or "")]
    assert {"controller.placement", "controller.repartition", "controller.binding", "controller.gpu"} <= set(
        with_example
    )


@pytest.mark.parametrize("top", SHIPPED)
def test_every_folder_with_modules_is_a_package(top: str) -> None:
    found = {info.name for info in pkgutil.walk_packages([str(ROOT / top)], f"{top}.")}
    assert {module(path) for path in files(top)} - found == {top}


def test_every_module_opens_with_a_docstring() -> None:
    modules = [path for path in files(*SHIPPED) if path.name != "__init__.py"]
    assert [module(path) for path in modules if not ast.get_docstring(ast.parse(path.read_text()))] == []
