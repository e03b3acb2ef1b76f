"""The first page that people follow: the README's four commands, and a manifest that is one."""

import re
from pathlib import Path

import yaml

from api.v1beta1.inference_service import InferenceService
from controller.sizing.catalog import Catalog
from e2e.suite.local_plane import welcome
from tests.docs.blocks import ROOT, blocks, statements
from tests.docs.page_commands import DOCS


def commands(page: str, heading: str) -> list[str]:
    """The commands of the first block under a heading."""
    (found, *_) = [block for block in blocks(ROOT / page) if block.heading == heading]
    return statements(found.text)


def test_readme_and_quick_start_give_the_same_four_commands() -> None:
    first = commands("docs/quick-start.md", "On a cluster")
    assert len(first) == 4
    assert commands("README.md", "Install it") == first


def test_the_node_that_is_started_for_a_look_is_told_the_same_verbs() -> None:
    told = welcome("helm", "image", "node-1")
    for command in commands("docs/quick-start.md", "On a cluster"):
        assert " ".join(command.split()[:2]) in told


def test_the_manifest_is_a_service_of_a_model_that_is_known() -> None:
    (applied,) = [command for command in commands("docs/quick-start.md", "On a cluster") if "<<" in command]
    text = re.search(r"<<EOF\n(.*)\nEOF", applied, re.DOTALL)
    assert text is not None
    service = InferenceService.model_validate(yaml.safe_load(text[1]))
    assert service.spec.model.id in Catalog.bundled().ids()


def test_no_page_is_far_from_the_first_one() -> None:
    reached, edge = set[Path](), {DOCS / "README.md"}
    for _ in range(4):
        reached |= edge
        edge = {target for page in edge for target in linked(page)} - reached
    assert set(DOCS.rglob("*.md")) - reached == set()
    assert {DOCS / name for name in ("cli.md", "map.md", "troubleshooting.md")} <= set(linked(DOCS / "README.md"))


def linked(page: Path) -> list[Path]:
    """The pages that a page leads to."""
    targets = re.findall(r"\]\(([^):#\s]+\.md)[#)]", page.read_text(encoding="utf-8"))
    return [found for target in targets if (found := (page.parent / target).resolve()).exists()]


def test_links_of_the_first_pages_lead_somewhere() -> None:
    for page in (DOCS / "README.md", DOCS / "quick-start.md"):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), target
