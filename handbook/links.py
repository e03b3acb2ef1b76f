"""Links of the repository as links of the site: pages stay pages, else the source is shown. Pure."""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Final

DOCS: Final = "docs/"
_LINK: Final = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()([^)\s]+)(\))")
_CODE: Final = re.compile(r"(`+)(?:(?!\1).)*\1")
_ELSEWHERE: Final = re.compile(r"[a-z][a-z0-9+.-]*:|//")


class BrokenLink(ValueError):
    """A link that leads to nothing in the repository. Names page and target."""


@dataclass(frozen=True, slots=True)
class Relinking:
    """What is where: pages from elsewhere by their path, where source is read, and what a path is there.

    `kind` tells of a path in the repository whether it is a `blob` (file), a `tree` (folder) or None (nothing).
    """

    borrowed: Mapping[str, str]
    repository: str
    kind: Callable[[str], str | None]

    def relinked(self, markdown: str, source: str, shown: str) -> str:
        """A page's text with its links as the site has them. Raises BrokenLink.

        `source`: the page's path in the repository; `shown`: its path on the site.
        """
        parts: list[str] = []
        for fenced, lines in groupby(fences(markdown.split("\n")), key=itemgetter(1)):
            part = "\n".join(line for line, _ in lines)
            parts.append(part if fenced else self._text(part, source, shown))
        return "\n".join(parts)

    def target(self, link: str, source: str, shown: str) -> str:
        """Where a link of `source` leads on the page `shown`. Raises BrokenLink."""
        path, _, anchor = link.partition("#")
        if not path or _ELSEWHERE.match(link):
            return link
        found = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        after = f"#{anchor}" if anchor else ""
        page = self.borrowed.get(found) or (found.removeprefix(DOCS) if found.startswith(DOCS) else None)
        kind = self.kind(found)
        if kind is None:
            raise BrokenLink(f"{source}: link to {link}: nothing is at {found}; correct the link or add the file")
        if page is None or kind == "tree":
            return f"{self.repository}/{kind}/main/{found}{after}"
        return posixpath.relpath(page, posixpath.dirname(shown) or ".") + after

    def _text(self, text: str, source: str, shown: str) -> str:
        code = [span.span() for span in _CODE.finditer(text)]

        def put(link: re.Match[str]) -> str:
            if any(start <= link.start(2) < end for start, end in code):
                return link[0]
            return f"{link[1]}{self.target(link[2], source, shown)}{link[3]}"

        return _LINK.sub(put, text)


def fences(lines: list[str]) -> Iterator[tuple[str, bool]]:
    """Every line, and whether it belongs to a block of code, its fences included."""
    fence = ""
    for line in lines:
        opening = re.match(r" *(`{3,}|~{3,})", line)
        if not fence and opening:
            fence = opening[1]
            yield line, True
        elif fence:
            yield line, True
            fence = "" if line.strip() == fence else fence
        else:
            yield line, False
