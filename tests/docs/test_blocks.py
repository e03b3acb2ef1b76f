"""Every block of commands on a page has somebody who runs it, or a reason; every piece of YAML is known."""

from pathlib import Path

import pytest
import yaml

from tests.docs.blocks import COMMANDS, ROOT, Block, blocks, is_shown, manifests, pages, statements
from tests.docs.fragments import OTHERS, PIECES, whole
from tests.docs.proof import lacking, words
from tests.docs.treatments import LEFT_OUT, TREATMENTS, Alike, By, Nobody, left_out, treatment

ALL = [block for page in pages() for block in blocks(page)]
RUN = [block for block in ALL if block.language in COMMANDS or is_shown(block)]
YAML = [block for block in ALL if block.language == "yaml" and block.page != "docs/api-reference.md"]


def test_blocks_are_found() -> None:
    assert len(RUN) > 110
    assert len(YAML) > 15
    assert {block.language for block in ALL} <= {"", "sh", "console", "json", "mermaid", "promql", "text", "yaml"}


@pytest.mark.parametrize("block", RUN, ids=str)
def test_somebody_runs_it_or_a_reason_says_why_not(block: Block) -> None:
    row = treatment(block)
    assert row is not None, f"{block}: write a row in tests/docs/treatments.py: who runs it, or why nobody does"
    if isinstance(row, By | Alike):
        path, _, name = row.test.partition("::")
        assert (ROOT / path).exists(), row
        assert not name or f"def {name}(" in (ROOT / path).read_text(), row
    if isinstance(row, By):
        assert lacking(block, row) == set(), f"{block}: {row} has no such words"
    elif isinstance(row, Nobody | Alike):
        assert len(row.why if isinstance(row, Nobody) else row.instead) > 20


def test_no_row_is_of_something_that_is_gone() -> None:
    there = {(block.page, name) for block in RUN for name in (block.heading, f"{block.heading} / {block.number}")}
    named = {(page, heading) for page, rows in TREATMENTS.items() for heading in rows if heading}
    assert named <= there
    assert {page for page in TREATMENTS if not TREATMENTS[page].keys() - {""}} <= {page for page, _ in there}


def test_few_are_run_by_nobody() -> None:
    left = [block for block in RUN if isinstance(treatment(block), Nobody)]
    assert len(left) <= 20, [str(block) for block in left]


def test_fewer_are_run_otherwise_than_as_they_stand() -> None:
    otherwise = [block for block in RUN if isinstance(treatment(block), Alike)]
    assert len(otherwise) <= 24, [str(block) for block in otherwise]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("helm upgrade x charts/x -n y --set a.b=c   # again", {"helm", "upgrade", "x", "--set"}),
        ("kubectl drain NODE --ignore-daemonsets", {"kubectl", "drain", "--ignore-daemonsets"}),
        ("KEY=$(kubectl create token)\naim-gpu top | head -1", {"aim-gpu", "top"}),
        ("charts/install/install.sh --uninstall", {"install.sh", "--uninstall"}),
    ],
)
def test_commands_are_known_by_their_words(text: str, want: set[str]) -> None:
    assert words(Block("docs/x.md", "X", 1, "sh", text)) == want


def test_a_test_that_runs_something_else_is_noticed() -> None:
    (block,) = [one for one in RUN if (one.page, one.heading) == ("docs/map.md", "In the cluster")]
    assert "upgrade" in lacking(block, By("tests/integration/ui/test_live_map.py"))
    assert lacking(block, By("e2e/suite/test_map.py")) == set()
    (kept,) = [one for one in RUN if (one.page, one.heading) == ("docs/backup.md", "Put it back")]
    assert lacking(kept, By("tests/integration/operator/test_backup.py")) == set()
    assert lacking(kept, By("tests/integration/operator/test_gitops.py")) != set()


def test_no_command_is_left_out_that_is_nowhere() -> None:
    told = "\n".join(block.text for block in RUN)
    assert [part for part in LEFT_OUT if part not in told] == []
    assert left_out("kubectl get gpc -A") is None


def test_every_piece_of_yaml_is_of_something() -> None:
    pieces = [block for block in YAML if not manifests(block)]
    keys = {(block.page, block.heading) for block in pieces}
    assert keys - {*PIECES, *OTHERS} == NEITHER
    assert {*PIECES, *OTHERS} <= keys


#: YAML of files that are no objects: AIM profiles.
NEITHER = {("docs/profiles.md", "Which checkpoint"), ("docs/profiles.md", "The file")}


def test_a_piece_becomes_a_whole_object() -> None:
    (block,) = [one for one in YAML if (one.page, one.heading) == ("docs/scheduling.md", "Quotas")]
    made = whole(block, yaml.safe_load(block.text))
    assert made is not None
    assert [quota["namespace"] for quota in made["spec"]["quotas"]] == ["team-a", "team-b"]


def test_commands_are_told_apart() -> None:
    text = "# a\nkubectl get a |\n  grep b\n\nfor x in 1 2; do\n  echo $x\ndone\nkubectl apply -f - <<'EOF'\na: b\nEOF\necho 'c\nd'\n"
    assert statements(text) == [
        "kubectl get a |\n  grep b",
        "for x in 1 2; do\n  echo $x\ndone",
        "kubectl apply -f - <<'EOF'\na: b\nEOF",
        "echo 'c\nd'",
    ]


def test_a_heading_inside_of_code_is_none(tmp_path: Path) -> None:
    page = ROOT / "docs/agent.md"
    assert {block.heading for block in blocks(page)} == {"Starting it", "What it reports"}
