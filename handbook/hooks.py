"""What MkDocs calls while it builds the site; see mkdocs.yml."""

import re
from functools import cache
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from handbook.borrowed import REPOSITORY, ROOT, borrowed
from handbook.columns import in_fours
from handbook.links import BrokenLink, Relinking

_MERMAID: Final = re.compile(r"^```mermaid\n.*?^```$", re.MULTILINE | re.DOTALL)
#: What is drawn where the repository has a diagram in text, by page: GitHub draws those by a script of megabytes.
DRAWN: Final = {"repartitioning.md": "![Phases of a plan, and what leads from one to the next](images/phases.svg)"}


@cache
def _relinking() -> Relinking:
    return Relinking(borrowed(), REPOSITORY, _kind)


@cache
def _kind(path: str) -> str | None:
    found = ROOT / path
    return "tree" if found.is_dir() else "blob" if found.is_file() else None


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand elsewhere."""
    for source, shown in borrowed().items():
        files.append(File.generated(config, shown, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A page's text as the site's tools read it. Raises PluginError for a link that leads nowhere."""
    del config, files
    shown = page.file.src_uri
    elsewhere = {there: source for source, there in borrowed().items()}
    source = elsewhere.get(shown, f"docs/{shown}")
    try:
        text = _relinking().relinked(_drawn(markdown, shown), source, shown)
    except BrokenLink as error:
        raise PluginError(str(error)) from error
    return in_fours(text)


def _drawn(markdown: str, shown: str) -> str:
    if _MERMAID.search(markdown) is None:
        return markdown
    if shown not in DRAWN:
        raise PluginError(
            f"{shown}: a diagram in text, and nothing that is drawn for it; add it to handbook.hooks.DRAWN"
        )
    return _MERMAID.sub(lambda _: DRAWN[shown], markdown)
