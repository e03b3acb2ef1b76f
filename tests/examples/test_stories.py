"""A folder a story: each has a page that says what to do and what one sees, and all of it can be planned without a cluster."""

import re
from pathlib import Path

import pytest
import yaml

from controller.cli.offline_nodes import parse_nodes
from e2e.run.expectation import expectation
from tests.docs.blocks import ROOT, blocks

EXAMPLES = ROOT / "examples"
STORIES = sorted(page.parent for page in EXAMPLES.glob("*/README.md"))
PARTS = {"cluster", "gateway", "repartition"}
"""Folders that are no story: files that others use."""
WAITS = {"approval"}
NAMESPACED = {"InferenceService", "Deployment", "Service"}
BY_NAME = pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)


def test_every_folder_is_a_story_or_says_what_it_is() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    assert folders == {story.name for story in STORIES} | PARTS
    index = (EXAMPLES / "README.md").read_text()
    for story in STORIES:
        assert f"]({story.name}/README.md)" in index
    for path in [*EXAMPLES.glob("*.yaml"), *(file for part in PARTS for file in (EXAMPLES / part).iterdir())]:
        name = str(path.relative_to(EXAMPLES))
        assert f"`{name}`" in index or re.fullmatch(r"team-.*\.yaml", name), name


@BY_NAME
def test_its_page_says_what_to_do_and_what_one_sees(story: Path) -> None:
    page = story / "README.md"
    headings = re.findall(r"^## (.*)$", page.read_text(), re.MULTILINE)
    assert [one for one in headings if one in {"Do", "You see"}] == ["Do", "You see"]
    assert any(block.language == "sh" and f"examples/{story.name}" in block.text for block in blocks(page))


@BY_NAME
def test_it_is_placed_as_it_says(story: Path) -> None:
    file = EXAMPLES / "cluster" / "nodes.yaml"
    nodes = parse_nodes(file, list(yaml.safe_load_all(file.read_text())))
    expected = expectation(story, kserve=True, nodes=nodes)
    rows = [one for service in expected.plan.services for one in service.replicas if one.placed is None]
    assert bool(rows) == (story.name in WAITS)
    assert [one.change.node for one in rows if one.change is not None] == ["gpu-a"] * len(rows)  # once it is approved


@BY_NAME
def test_it_has_a_namespace_of_its_own(story: Path) -> None:
    objects = [one for path in story.glob("*.yaml") for one in yaml.safe_load_all(path.read_text())]
    used = {one["metadata"].get("namespace") for one in objects if one["kind"] in NAMESPACED}
    made = {one["metadata"]["name"] for one in objects if one["kind"] == "Namespace"}
    assert used == (made or {"default"})
    others = [path for other in STORIES if other != story for path in other.glob("*.yaml")]
    assert not any(f"name: {name}\n" in path.read_text() for name in made for path in others)
