"""The reference: complete, with links that lead somewhere, equal to the committed file."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from api.openapi import reference
from api.openapi.crd import crds
from api.openapi.field_tables import slug
from api.openapi.field_text import pattern, prose
from api.openapi.kind import KINDS

DOCS = Path(__file__).parents[3] / "docs"
PAGE = reference.reference()
LINES = PAGE.splitlines()
HEADINGS = [line.lstrip("#").strip() for line in LINES if line.startswith("#")]
SERVED = [(kind, version) for kind in KINDS for version in kind.versions]
SERVED_NAMES = [f"{kind.name} {version}" for kind, version in SERVED]


def nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for child in schema.get("properties", {}).values():
        yield from nodes(child)
    for part in ("items", "additionalProperties"):
        if part in schema:
            yield from nodes(schema[part])


def described(kind: str, version: str) -> list[dict[str, Any]]:
    """The nodes of spec and status of a version."""
    (found,) = (
        served["schema"]["openAPIV3Schema"]
        for definition in crds()
        for served in definition["spec"]["versions"]
        if (definition["spec"]["names"]["kind"], served["name"]) == (kind, version)
    )
    return [node for part in ("spec", "status") for node in nodes(found["properties"][part])]


@pytest.mark.parametrize(("kind", "version"), SERVED, ids=SERVED_NAMES)
def test_every_field_rule_and_pattern_is_there(kind: Any, version: str) -> None:
    found = described(kind.name, version)
    descriptions = [prose(field["description"]) for node in found for field in node.get("properties", {}).values()]
    rules = [prose(rule["message"]) for node in found for rule in node.get("x-kubernetes-validations", ())]
    patterns = [text for node in found if (text := pattern(node))]
    missing = [text for text in [*descriptions, *patterns] if text not in PAGE]
    # the message of a pattern stands with the text, as a sentence
    said = PAGE.lower()
    missing += [rule for rule in rules if rule.lower() not in said and rule.partition(": ")[2].lower() not in said]
    assert (len(descriptions) > 20, missing) == (True, [])


def test_links_within_the_page_lead_to_one_heading_each() -> None:
    anchors = [slug(heading) for heading in HEADINGS]
    linked = re.findall(r"\]\(#([^)]*)\)", PAGE)
    assert sorted({anchor for anchor in linked if anchors.count(anchor) != 1}) == []
    assert len(linked) > 50


def test_links_to_other_pages_lead_to_files() -> None:
    without_patterns = re.sub(r"^```text\n.*\n```$", "", PAGE, flags=re.MULTILINE)
    other = set(re.findall(r"\]\(([^)#][^)]*)\)", without_patterns))
    assert [target for target in sorted(other) if not (DOCS / target).is_file()] == []


def test_rows_have_as_many_cells_as_their_table() -> None:
    heads = 0
    for line, following in pairwise(LINES):
        if line.startswith("| ") and following.startswith("| "):
            heads += following.startswith("| ---")
            assert cells(line) == cells(following), following
    assert heads > 30


def cells(line: str) -> int:
    return len(re.split(r"(?<!\\)\|", line))


def section(heading: str) -> str:
    """The text from a heading to the next."""
    return "\n".join(LINES[LINES.index(heading) + 1 :]).partition("\n#")[0]


@pytest.mark.parametrize(("kind", "version"), SERVED, ids=SERVED_NAMES)
def test_a_version_has_its_columns_and_sections(kind: Any, version: str) -> None:
    about = section(f"### {kind.name} {version}")
    assert f"`apiVersion: aim.amd.com/{version}`" in about
    assert [column.name for column in kind.versions[version].columns if f"| {column.name} " not in about] == []
    assert {f"{kind.name} {version}: {part}" for part in ("spec", "rules", "status")} <= set(HEADINGS)


def test_the_contents_name_each_kind_with_scope_and_short_name() -> None:
    for kind in KINDS:
        (row,) = [line for line in LINES if line.startswith(f"| [{kind.name}](#{kind.name.lower()}) |")]
        assert f"`{kind.short_name}` | {'namespace' if kind.namespaced else 'cluster'} |" in row


def test_what_several_kinds_have_is_described_once() -> None:
    assert HEADINGS.count("Condition") == 1
    assert PAGE.count("list of [Condition](#condition)") >= len(KINDS)
    assert "`status.conditions[]" not in PAGE


def test_a_small_struct_stands_in_its_owners_table_and_a_large_one_has_its_own() -> None:
    spec = section("#### GPUNode v1beta1: spec")
    assert "| `spec.operation.to` | [Layout](#layout) | **required** |" in spec
    assert "`status.gpus[].bdf`" in section("#### GPUNode v1beta1: status.gpus[]")
    assert "`status.gpus[].bdf`" not in section("#### GPUNode v1beta1: status")


def test_a_long_default_is_written_below_the_table() -> None:
    assert "Default of `spec.qosClasses`:\n\n```yaml\n- {name: realtime," in section(
        "#### GPUSharingPolicy v1beta1: spec"
    )


def test_versions_that_have_a_status_in_common_show_it_once() -> None:
    shown = section("#### InferenceService v1alpha1: status")
    assert shown.strip() == "As [status of v1beta1](#inferenceservice-v1beta1-status)."


def test_the_committed_file_is_the_generated_one() -> None:
    text = (DOCS / "api-reference.md").read_text(encoding="utf-8")
    assert text == PAGE, "the models changed: run `make generate`"


def test_the_command_writes_it(tmp_path: Path) -> None:
    reference.main(["--out", str(tmp_path / "page.md")])
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == PAGE
