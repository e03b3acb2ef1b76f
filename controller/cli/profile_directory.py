"""A directory of generated profiles: replaced whole, and only if everything in it was generated."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

INDEX = "index.json"
GENERATOR = "aim-gpu profiles generate"
"""What ``generator`` says in an index of ours."""


LISTS = ("rows", "aim_catalogue")
"""The lists of an index whose rows have files."""


class NotOurs(Exception):
    """The directory has something that was not generated. The text names the directory, the file and the remedy."""


class ProfileDirectory:
    """Writes files beside ``target`` and puts them in its place once all are there.

    ::

        with ProfileDirectory(path) as directory:
            directory.write("general/a.yaml", text)
            directory.replace(index)

    Left without ``replace``, by an error or a signal that raises, nothing is left and ``target`` is as before.
    Raises NotOurs before anything is written, OSError when the disk refuses.
    """

    def __init__(self, target: Path) -> None:
        self.target = target.absolute()

    def __enter__(self) -> Self:
        check_ours(self.target)
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self._work = Path(tempfile.mkdtemp(prefix=f".{self.target.name}.", dir=self.target.parent))
        self._new = self._work / "new"
        self._new.mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._work, ignore_errors=True)

    def write(self, path: str, text: str) -> None:
        """Write one file, by its path under the directory."""
        file = self._new / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def replace(self, index: Mapping[str, Any]) -> None:
        """Write the index, which gains ``generator``, and take the target's place. It must list every file written."""
        document = {"generator": GENERATOR, **index}
        (self._new / INDEX).write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
        check_ours(self.target)  # somebody may have written there meanwhile
        if not self.target.exists():
            self._new.rename(self.target)
            return
        old = self.target.rename(self._work / "old")
        try:
            self._new.rename(self.target)
        except OSError:
            old.rename(self.target)
            raise


def read_index(directory: Path) -> dict[str, Any] | None:
    """The index of a generated directory; None when it has none, or somebody else's."""
    try:
        document = orjson.loads((directory / INDEX).read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None
    ours = isinstance(document, dict) and document.get("generator") == GENERATOR
    return document if ours else None


def listed(index: Mapping[str, Any]) -> set[str]:
    """Every file that an index of ours lists, by its path under the directory."""
    return {file for rows in LISTS for row in index.get(rows, ()) for file in row.get("files", ())}


def check_ours(directory: Path) -> None:
    """Raise NotOurs unless the directory is absent, empty, or holds nothing but what its index lists."""
    if not directory.exists() and not directory.is_symlink():
        return
    if not directory.is_dir() or directory.is_symlink():
        raise NotOurs(f"--out {directory} is no directory of its own: name one that does not exist yet")
    present = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if not path.is_dir()}
    if not present:
        return
    index = read_index(directory)
    if index is None:
        raise NotOurs(f"--out {directory} is not empty, and no profiles were generated there: name an empty directory")
    strange = sorted(present - {INDEX} - listed(index))
    if strange:
        raise NotOurs(f"--out {directory} has {strange[0]}, which was not generated: move it away, or name another one")
