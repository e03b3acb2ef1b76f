"""The files that COPY may take: the folder of the Dockerfile, less what .dockerignore leaves out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from e2e.image.errors import StepFailed


@dataclass(frozen=True)
class Context:
    """A folder, and the patterns of its .dockerignore."""

    root: Path
    patterns: tuple[str, ...] = ()

    @classmethod
    def of(cls, root: Path) -> "Context":
        """The folder with its own .dockerignore, if it has one."""
        ignore = root / ".dockerignore"
        lines = ignore.read_text(encoding="utf-8").splitlines() if ignore.exists() else []
        return cls(root, tuple(line.strip() for line in lines if line.strip() and not line.startswith("#")))

    @cached_property
    def files(self) -> tuple[PurePosixPath, ...]:
        """Every file that is not left out, sorted. Folders on the way to none are not looked into."""
        wanted = {pattern[1:].split("/")[0] for pattern in self.patterns if pattern.startswith("!")}
        narrow = "*" in self.patterns
        tops = [entry for entry in sorted(self.root.iterdir()) if not narrow or entry.name in wanted]
        found = [file for top in tops for file in (sorted(top.rglob("*")) if top.is_dir() else [top])]
        paths = (PurePosixPath(file.relative_to(self.root)) for file in found if file.is_file())
        return tuple(sorted(path for path in paths if not ignored(str(path), self.patterns)))

    def under(self, source: str) -> tuple[PurePosixPath, ...]:
        """The files that a source of COPY stands for. Raises StepFailed when there is none."""
        wanted = PurePosixPath(source)
        found = tuple(path for path in self.files if path == wanted or wanted in path.parents or source in ("./", "."))
        if not found:
            raise StepFailed(f"COPY {source}: {self.root / source} is not there, or .dockerignore leaves it out")
        return found


def ignored(path: str, patterns: Sequence[str]) -> bool:
    """Whether .dockerignore leaves a file out: the last pattern that fits it, or a folder above it, decides."""
    answer = False
    candidates = [path, *map(str, list(PurePosixPath(path).parents)[:-1])]
    for pattern in patterns:
        expression = _expression(pattern.removeprefix("!").strip("/"))
        if any(expression.fullmatch(candidate) for candidate in candidates):
            answer = not pattern.startswith("!")
    return answer


def _expression(pattern: str) -> re.Pattern[str]:
    translated = ""
    for part in re.split(r"(\*\*/|\*\*|\*|\?)", pattern):
        match part:
            case "**/":
                translated += "(?:.*/)?"
            case "**":
                translated += ".*"
            case "*":
                translated += "[^/]*"
            case "?":
                translated += "[^/]"
            case _:
                translated += re.escape(part)
    return re.compile(translated)
