import importlib
from importlib import metadata

from tests.architecture.source import ROOT, SHIPPED, project

OURS = "aim-gpu-sharing"


def top_level_names(distribution: metadata.Distribution) -> set[str]:
    """What a distribution puts at the top of the import path."""
    files = [str(path) for path in distribution.files or ()]
    packages = {name.split("/")[0] for name in files if "/" in name and name.endswith(".py")}
    return packages | {name.removesuffix(".py") for name in files if "/" not in name and name.endswith(".py")}


def test_the_wheel_ships_api_and_controller_alone() -> None:
    assert project()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == list(SHIPPED)


def test_no_other_distribution_ships_those_names() -> None:
    taken = {
        distribution.name: names
        for distribution in metadata.distributions()
        if distribution.name != OURS and (names := top_level_names(distribution) & set(SHIPPED))
    }
    assert taken == {}


def test_the_search_sees_what_others_ship() -> None:
    for distribution, name in (("pytest", "_pytest"), ("pyyaml", "yaml"), ("hypothesis", "hypothesis")):
        assert name in top_level_names(metadata.distribution(distribution))


def test_what_is_imported_is_this_source() -> None:
    for name in SHIPPED:
        assert str(importlib.import_module(name).__file__).startswith(str(ROOT / name))
