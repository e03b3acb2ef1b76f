import ast
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from tests.architecture.source import ROOT, SHIPPED, files, module, project

BREACH = """
[importlinter]
root_packages =
    api
    controller

[importlinter:contract:planted]
name = Broken on purpose
type = forbidden
source_modules = controller.translate
forbidden_modules = api
"""


def test_imports_go_where_the_layout_lets_them(capsys: pytest.CaptureFixture[str]) -> None:
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_a_broken_contract_would_be_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planted = tmp_path / "planted.ini"
    planted.write_text(BREACH)
    assert lint_imports(config_filename=str(planted), no_cache=True) != EXIT_STATUS_SUCCESS
    assert "Broken on purpose BROKEN" in capsys.readouterr().out


def contract(name: str) -> dict[str, object]:
    (found,) = [row for row in project()["tool"]["importlinter"]["contracts"] if row["name"] == name]
    return dict(found)


def test_every_room_has_its_place() -> None:
    layers = contract("Imports go down only")
    assert layers["exhaustive"] is True
    assert layers["containers"] == ["controller"]


PURE = ("gpu", "sizing", "profiles", "qos", "placement", "repartition", "binding")


def test_the_pure_rooms_are_under_contract() -> None:
    sources = contract("Pure rooms decide without I/O, clocks or API types")["source_modules"]
    assert {f"controller.{room}" for room in PURE} <= set(sources)  # type: ignore[call-overload]


API_TYPES_IN = {f"controller.gateway.control.{name}" for name in ("routing", "rules", "services")}
"""Without I/O and clocks, and between the API's types and ours: so not under the contract."""


def test_modules_that_say_they_are_pure_are_under_contract() -> None:
    sources = contract("Pure rooms decide without I/O, clocks or API types")["source_modules"]
    found = {module(path): ast.get_docstring(ast.parse(path.read_text())) or "" for path in files("controller/gateway")}
    said = {name for name, text in found.items() if "Pure." in text} - API_TYPES_IN
    assert len(said) > 10
    assert said <= set(sources)  # type: ignore[call-overload]


NAMELESS = {"util", "utils", "helper", "helpers", "common", "base", "misc"}


def test_modules_are_named_for_what_they_hold() -> None:
    assert [module(path) for path in files(*SHIPPED) if NAMELESS & set(module(path).split("."))] == []


def test_what_is_simulated_is_what_decides() -> None:
    imported = {
        node.module
        for node in ast.walk(ast.parse((ROOT / "controller/placement/simulation.py").read_text()))
        if isinstance(node, ast.ImportFrom)
    }
    assert "controller.placement.scheduler" in imported
    bounded = contract("simulate asks the operator's scheduler, by placement.simulation alone")["source_modules"]
    assert bounded == ["controller.cli.arrivals", "controller.cli.simulate"]
