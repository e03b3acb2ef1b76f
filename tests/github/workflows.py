"""What the steps of a workflow are, and what must be true of them."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.architecture.source import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yaml"))
_PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*=\S*")
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}")


def jobs(workflow: Path) -> dict[str, Any]:
    """The jobs of a workflow by name."""
    found: dict[str, Any] = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    return found


def targets(makefile: str) -> set[str]:
    """The targets of a Makefile that `make help` lists."""
    return set(re.findall(r"^([a-z0-9-]+):.*## ", makefile, re.MULTILINE))


def unpinned(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """The actions that are named by a tag or branch, which may be moved, instead of a commit."""
    return [step["uses"] for step in steps if "uses" in step and not _PINNED.fullmatch(step["uses"])]


def not_targets(steps: Sequence[Mapping[str, Any]], known: set[str]) -> list[str]:
    """The commands that are no single call of a target of ours: what a person could not run in the same way."""
    return [step["run"] for step in steps if "run" in step and not _is_target(step["run"], known)]


def _is_target(command: str, known: set[str]) -> bool:
    if _EXPRESSION.search(command):  # text of others inside a shell command: it belongs into the step's `env`
        return False
    words = shlex.split(command, comments=True)
    if len(words) < 2 or words[0] != "make" or words[1] not in known:
        return False
    return all(_VARIABLE.fullmatch(word) for word in words[2:]) and not set(command) & set(";|&`><\n")


def comments_without_version(text: str) -> list[str]:
    """The pinned actions beside which no comment says which version the commit is."""
    lines: Iterator[str] = (line.strip() for line in text.splitlines() if "uses:" in line)
    return [line for line in lines if not re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)]
