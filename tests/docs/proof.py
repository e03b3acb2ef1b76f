"""Whether a test really runs the commands of a block: it reads the page, or has the same words. Pure but for reading.

Words are the program, the first two that name what it does, and options without their values: names, files and values
are each place's own.
"""

import re
import shlex
from functools import cache
from pathlib import PurePath
from typing import Final

from tests.docs.blocks import ROOT, Block, is_shown, statements
from tests.docs.treatments import By

_NAMING: Final = 2
_PLAIN: Final = re.compile(r"[a-z][a-z,-]*")
_OPTION: Final = re.compile(r"--[a-z][\w-]*|-[a-z]")
_SHELL: Final = frozenset({"done", "do", "for", "until", "while", "echo", "head", "grep", "jq", "export"})
_SHORT: Final = frozenset({"-n", "-f", "-o", "-A"})
"""Options of kubectl's that say where and how, and not what."""


def lacking(block: Block, row: By) -> set[str]:
    """What of the block's commands no file of the row has; empty where one of them reads the page."""
    source = "\n".join(_text(path) for path in (row.test.partition("::")[0], *row.through))
    if _reads(block, source):
        return set()
    return {word for word in words(block) if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", source)}


def _reads(block: Block, source: str) -> bool:
    """Whether the page's name is in a test's source, and where it names headings that of the block."""
    page = PurePath(block.page)
    name = block.page if page.name == "README.md" else page.name
    if re.search(rf"(?<![\w.-]){re.escape(name)}", source) is None:
        return False
    return f'block("{page.name}"' not in source or f'block("{page.name}", "{block.heading}")' in source


@cache
def _text(path: str) -> str:
    found = ROOT / path
    files = sorted(one for one in found.rglob("*") if one.suffix in {".py", ".md"}) if found.is_dir() else [found]
    return "\n".join(one.read_text(encoding="utf-8") for one in files)


def words(block: Block) -> set[str]:
    """The words by which a block's commands are known."""
    text = block.text
    if is_shown(block):
        return {word for line in text.splitlines() if line.startswith("$ ") for word in _of(line[2:])}
    return {word for statement in statements(text) for word in _of(statement)}


def _of(statement: str) -> set[str]:
    command = statement.partition("<<")[0].replace("\\\n", " ")
    found: set[str] = set()
    for part in re.split(r"\||&&|;|\n", command):
        given = shlex.split(part, comments=True) if part.count("'") % 2 == part.count('"') % 2 == 0 else part.split()
        if not given or given[0] in _SHELL or "=" in given[0]:
            continue
        plain = [word for word in given[1:] if _PLAIN.fullmatch(word)]
        options = {word.partition("=")[0] for word in given[1:] if _OPTION.fullmatch(word.partition("=")[0])}
        found |= {PurePath(given[0]).name, *plain[:_NAMING], *(options - _SHORT)}
    return found
