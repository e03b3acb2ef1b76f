"""The manifests for those without Helm, which local runs use as well, are the chart as it is."""

from pathlib import Path
from typing import Any

import pytest

from e2e.chart import CHART, Helm, install_manifests
from e2e.chart.helm import loaded

FOLDER = CHART.parent / "install"
MANIFEST = FOLDER / "install.yaml"
FILES = sorted(FOLDER.glob("*.yaml"))
GATEWAY: dict[str, Any] = {"gateway": {"enabled": True}}
VALUES: dict[str, dict[str, Any]] = {
    "gateway.yaml": GATEWAY,
    "exporter.yaml": GATEWAY | {"exporter": {"enabled": True}},
    "ui.yaml": {"ui": {"enabled": True}},
    "agent-repartition.yaml": {"agent": {"mode": "repartition"}},
    "agent-simulate.yaml": {"agent": {"mode": "simulate"}},
}


def test_the_manifests_are_what_the_chart_says(helm: Helm) -> None:
    assert {file.name: file.read_text() for file in FILES} == install_manifests(helm), "run make generate"


def test_it_makes_its_namespace_first_and_its_kinds_before_what_needs_them() -> None:
    kinds = [one["kind"] for one in loaded(MANIFEST.read_text())]

    assert kinds[0] == "Namespace"
    assert kinds.index("CustomResourceDefinition") < kinds.index("Deployment")
    assert kinds.index("ServiceAccount") < kinds.index("Deployment")


@pytest.mark.parametrize("name", VALUES)
def test_with_an_addition_all_is_there_that_helm_would_install(helm: Helm, name: str) -> None:
    applied: dict[tuple[str, str | None, str], dict[str, Any]] = {}
    for file in [MANIFEST, *([FOLDER / "gateway.yaml"] if name == "exporter.yaml" else []), FOLDER / name]:
        applied |= {_name(one): one for one in loaded(file.read_text())}
    want = helm.objects(VALUES[name] | {"crds": {"keep": False}}, options=["--no-hooks", "--skip-tests"])

    assert {_name(one) for one in want} == applied.keys() - {("Namespace", None, "aim-gpu-system")}
    assert [_name(one) for one in want if one.get("spec") != applied[_name(one)].get("spec")] == []
    assert [_name(one) for one in want if one.get("rules") != applied[_name(one)].get("rules")] == []


@pytest.mark.parametrize("name", ["agent-repartition.yaml", "agent-simulate.yaml"])
def test_agents_of_another_mode_take_the_others_place(name: str) -> None:
    before = {_name(one) for one in loaded(MANIFEST.read_text())}

    found = {_name(one) for one in loaded((FOLDER / name).read_text())}

    assert ("DaemonSet", "aim-gpu-system", "aim-gpu-agent") in found
    assert found <= before


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_nothing_in_them_is_helms(file: Path) -> None:
    text = file.read_text()

    assert "helm.sh/" not in text
    assert "managed-by" not in text
    assert None not in [annotations for one in loaded(text) for annotations in one["metadata"].values()]


def _name(one: dict[str, Any]) -> tuple[str, str | None, str]:
    return one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]
