"""The blocks of code on all pages, each with the heading that it stands under."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from tests.docs.page_commands import DOCS

ROOT: Final = DOCS.parent
COMMANDS: Final = frozenset({"sh", "console"})
_FENCE: Final = re.compile(r"( *)(`{3,})(\w*)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `page`: its path in the repository; `number`: from 1, among those under the heading."""

    page: str
    heading: str
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page} / {self.heading} / {self.number}"


def pages() -> list[Path]:
    """Every page that people read: those of docs/, of the stories, and the two that everybody sees first."""
    stories = [ROOT / "examples/README.md", *(ROOT / "examples").glob("*/README.md")]
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md")), *sorted(stories)]


@cache
def blocks(page: Path) -> tuple[Block, ...]:
    """The blocks of a page, in their order."""
    return tuple(_blocks(page))


def _blocks(page: Path) -> Iterator[Block]:
    heading, fence, language, lines = "", None, "", list[str]()
    counts: dict[str, int] = {}
    for line in page.read_text(encoding="utf-8").splitlines():
        opening = _FENCE.match(line)
        if fence is None and line.startswith("#"):
            heading = line.lstrip("# ").strip()
        elif fence is None and opening:
            fence, language, lines = opening, opening[3], []
        elif fence is not None and line.strip() == fence[2]:
            counts[heading] = counts.get(heading, 0) + 1
            yield Block(str(page.relative_to(ROOT)), heading, counts[heading], language, "\n".join(lines))
            fence = None
        elif fence is not None:
            lines.append(line.removeprefix(fence[1]))


def is_shown(block: Block) -> bool:
    """Whether it shows commands after a prompt, with what they answer."""
    return block.text.startswith("$ ")


def manifests(block: Block) -> list[dict[str, object]]:
    """The Kubernetes objects that a YAML block has; none of a fragment."""
    if block.language != "yaml":
        return []
    found = [document for document in yaml.safe_load_all(block.text) if document]
    whole = all(isinstance(document, dict) and {"apiVersion", "kind"} <= set(document) for document in found)
    return found if whole else []


def statements(text: str) -> list[str]:
    """The commands of a block, each whole: over several lines where the shell would read on."""
    found: list[str] = []
    lines: list[str] = []
    for line in text.splitlines():
        if not lines and (not line.strip() or line.lstrip().startswith("#")):
            continue
        lines.append(line)
        if _whole("\n".join(lines)):
            found.append("\n".join(lines))
            lines = []
    assert not lines, f"this is no whole command: {lines}"
    return found


def _whole(text: str) -> bool:
    if text.endswith("\\") or text.rstrip().endswith("|"):
        return False
    if not re.search(r"[\"'`({]|<<|\b(?:for|while|if|case)\b", text):
        return True
    read = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True, timeout=30, check=False)
    return read.returncode == 0 and not read.stderr
