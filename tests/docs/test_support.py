"""The page on what it works with names the versions that really run here, and the pages beside it link to what is there."""

import re
from typing import Final

import pytest
import yaml

from e2e.chart import CHART
from e2e.plane.programs import CONTAINERD, FAMILIES, HELM, KSERVE
from tests.docs.page_commands import DOCS

PAGE: Final = (DOCS / "support.md").read_text()
ETCD, _, KUBERNETES = FAMILIES
PAGES: Final = ("support.md", "backup.md", "gitops.md")


def cells(what: str) -> list[str]:
    """The row of a table that begins with that word: what, which, run."""
    (found,) = [line for line in PAGE.splitlines() if line.startswith(f"| {what} |")]
    return [cell.strip() for cell in found.strip("|").split("|")]


@pytest.mark.parametrize(
    ("what", "version"),
    [
        ("Kubernetes", KUBERNETES.version),
        ("etcd", ETCD.version),
        ("container runtime", CONTAINERD.version),
        ("Helm", HELM.version),
        ("KServe", KSERVE.version),
    ],
)
def test_what_ran_is_the_version_that_is_built(what: str, version: str) -> None:
    assert re.findall(r"\d+\.\d+\.\d+", cells(what)[2])[0] == version


def test_the_oldest_kubernetes_and_rocm_are_those_that_the_chart_takes() -> None:
    oldest = yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"]
    assert oldest == f">={cells('Kubernetes')[1].split()[0]}.0-0"
    rocm = yaml.safe_load((CHART / "values.yaml").read_text())["agent"]["rocm"]["minimumVersion"]
    assert cells("ROCm on the host")[1].startswith(f"{rocm} and newer")


def test_every_row_says_where_it_ran() -> None:
    rows = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| ")]
    assert len(rows) > 20
    assert all(len(row) == 3 and row[2].strip() for row in rows)


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", (DOCS / page).read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#\s]*)(?:#[^)]*)?\)", (DOCS / page).read_text()):
        assert not target or (DOCS / target).exists(), target
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)]*)\)", (DOCS / page).read_text()):
        assert anchor in anchors(target or page), f"{target}#{anchor}"
