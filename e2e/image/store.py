"""Layers kept by what they were made of, so that an unchanged step is not carried out again."""

import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from e2e.image.tree import Difference, write_layer

_KEEP_SECONDS = 3 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's archive. `digest`: "sha256:..." of the archive, which is not compressed; `key`: what it was made of."""

    key: str
    digest: str
    size: int
    title: str


def chained(*parts: str) -> str:
    """One key out of several texts, of which none can be mistaken for two."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class LayerStore:
    """A folder with two files a layer: the archive, and what is known of it. Written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def archive(self, key: str) -> Path:
        """Where a layer's archive is."""
        return self.folder / f"{key}.tar"

    def find(self, key: str) -> Layer | None:
        """The layer of that key; None when it was not made yet."""
        try:
            layer = Layer(**json.loads(self._note(key).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        if not self.archive(key).exists():
            return None
        os.utime(self._note(key))
        return layer

    def add(self, key: str, title: str, root: Path, change: Difference, newest: int) -> Layer:
        """Keep what a step changed below `root`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f".{key}.{os.getpid()}"
        try:
            write_layer(root, change, unfinished, newest)
            layer = Layer(key, digest_of(unfinished), unfinished.stat().st_size, title)
            unfinished.rename(self.archive(key))
        finally:
            unfinished.unlink(missing_ok=True)
        note = self._note(key)
        note.with_suffix(".part").write_text(json.dumps(asdict(layer)), encoding="utf-8")
        note.with_suffix(".part").rename(note)
        return layer

    def prune(self, now: float | None = None) -> None:
        """Remove what was not used for three days, and what a build that was killed left unfinished."""
        oldest = (time.time() if now is None else now) - _KEEP_SECONDS
        for note in self.folder.glob("*.json"):
            if note.stat().st_mtime < oldest:
                self.archive(note.stem).unlink(missing_ok=True)
                note.unlink()
        for leftover in (*self.folder.glob(".*"), *self.folder.glob("*.part")):
            leftover.unlink(missing_ok=True)

    def _note(self, key: str) -> Path:
        return self.folder / f"{key}.json"


def digest_of(path: Path) -> str:
    """ "sha256:..." of a file."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
