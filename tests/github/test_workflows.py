"""Workflows do what a person can do: make targets, and actions that nobody can move under us."""

import re
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.github.actionlint import ACTIONLINT, complaints
from tests.github.workflows import WORKFLOWS, comments_without_version, jobs, not_targets, targets, unpinned

KNOWN = targets((ROOT / "Makefile").read_text(encoding="utf-8"))
DIGEST = "0" * 40


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_step_is_a_pinned_action_or_a_target_of_ours(workflow: Path) -> None:
    for name, job in jobs(workflow).items():
        assert unpinned(job["steps"]) == [], name
        assert not_targets(job["steps"], KNOWN) == [], name
    assert comments_without_version(workflow.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_job_has_a_limit_and_says_what_it_may(workflow: Path) -> None:
    for name, job in jobs(workflow).items():
        assert 0 < job["timeout-minutes"] <= 360, name
        assert "permissions" in job, name


def test_no_checkout_leaves_its_token_behind() -> None:
    checkouts = [
        step
        for workflow in WORKFLOWS
        for job in jobs(workflow).values()
        for step in job["steps"]
        if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert len(checkouts) >= len(WORKFLOWS)
    assert [step for step in checkouts if step.get("with", {}).get("persist-credentials") is not False] == []


def test_actionlint_finds_nothing() -> None:
    assert WORKFLOWS
    assert complaints(WORKFLOWS) == []


def test_actionlint_would_tell_of_a_step_that_does_not_exist(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(
        "on: push\njobs:\n  one:\n    runs-on: ubuntu-24.04\n    steps:\n"
        "      - run: make ${{ steps.never.outputs.name }}\n        shel: bash\n",
        encoding="utf-8",
    )
    told = "\n".join(complaints([broken]))
    assert 'unexpected key "shel"' in told
    assert 'property "never" is not defined' in told


def test_actionlint_is_the_locked_one() -> None:
    locked = re.search(r"rhysd/actionlint v(\S+)", (ACTIONLINT.module / "go.mod").read_text(encoding="utf-8"))
    assert locked is not None
    assert locked[1] == ACTIONLINT.version


@pytest.mark.parametrize(
    "command",
    [
        "pytest",
        "make",
        "make nothing-of-ours",
        "make test; curl example.com",
        "make test && make lint",
        "make test -f other.mk",
        "make test NAME=${{ github.head_ref }}",
        "make test\nmake lint",
        "make test NAME=`id`",
    ],
)
def test_a_command_that_is_no_single_target_is_noticed(command: str) -> None:
    assert not_targets([{"run": command}], KNOWN) == [command]


@pytest.mark.parametrize(
    "command", ["make test", "make test CI=true", 'make bench NAME="$NAME"', "make lint # all of it"]
)
def test_a_target_with_variables_passes(command: str) -> None:
    assert not_targets([{"run": command}], KNOWN) == []


@pytest.mark.parametrize("action", ["actions/checkout@v7", "actions/checkout", "./local", f"docker://x@{DIGEST[:7]}"])
def test_an_action_that_could_be_moved_is_noticed(action: str) -> None:
    assert unpinned([{"uses": action}]) == [action]
    assert unpinned([{"uses": f"actions/checkout@{DIGEST}"}]) == []


def test_a_digest_without_its_version_is_noticed() -> None:
    assert comments_without_version(f"  - uses: a/b@{DIGEST}\n  - uses: a/b@{DIGEST} # v1.2.3\n") == [
        f"- uses: a/b@{DIGEST}"
    ]
