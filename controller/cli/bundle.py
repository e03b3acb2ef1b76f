"""A support bundle: a tar.gz of texts with a manifest of what is in it, what was left out, and why."""

import gzip
import hashlib
import io
import os
import tarfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from controller.cli.yaml_text import as_yaml

MANIFEST: Final = "manifest.yaml"
#: What one file may hold, and all of them together, bytes.
MOST_BYTES: Final = 16 << 20
MOST_BYTES_IN_ALL: Final = 256 << 20


class NotWritable(Exception):
    """The file cannot be made; the text says why."""


def require_room(path: Path) -> None:
    """Raise NotWritable where no file of that name can be made, before anything is read for it."""
    if path.exists():
        raise NotWritable(f"{path} is there already; name another file")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        why = "cannot be written" if path.parent.is_dir() else "is no folder"
        raise NotWritable(f"{path.parent} {why}; name a file elsewhere")


@dataclass(slots=True)
class Bundle:
    """Files by name, and what was left out with the reason. Mutable."""

    _files: dict[str, bytes] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._files)

    def add(self, name: str, text: str, count: int) -> None:
        """A file that holds `count` things; one that is too large is left out."""
        content = text.encode()
        room = MOST_BYTES_IN_ALL - sum(map(len, self._files.values()))
        if len(content) > min(MOST_BYTES, room):
            self.leave_out(name, f"{len(content)} bytes are more than a bundle takes")
            return
        self._files[name] = content
        self._counts[name] = count

    def leave_out(self, what: str, why: str) -> None:
        """Say that something is not in it."""
        self.left_out.append((what, why))

    def manifest(self, **facts: Any) -> dict[str, Any]:
        """What is in it and what is not, after these facts."""
        return {
            **facts,
            "files": [
                {
                    "name": name,
                    "holds": self._counts[name],
                    "bytes": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                }
                for name, content in self._files.items()
            ],
            "leftOut": [{"what": what, "why": why} for what, why in self.left_out],
        }

    def write(self, path: Path, manifest: dict[str, Any], made: datetime) -> None:
        """Write it, for its owner's eyes alone. Raises NotWritable, also where there is a file of that name."""
        packed = self._packed({MANIFEST: as_yaml(manifest).encode(), **self._files}, path.name, int(made.timestamp()))
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
                opened.write(packed)
        except FileExistsError as error:
            raise NotWritable(f"{path} is there already; name another file") from error
        except OSError as error:
            raise NotWritable(f"{path} cannot be written ({error.strerror}); name another file") from error

    @staticmethod
    def _packed(files: dict[str, bytes], name: str, at: int) -> bytes:
        folder, packed = name.removesuffix(".tar.gz"), io.BytesIO()
        with (
            gzip.GzipFile(fileobj=packed, mode="wb", mtime=at) as squeezed,
            tarfile.open(fileobj=squeezed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for file, content in files.items():
                entry = tarfile.TarInfo(f"{folder}/{file}")
                entry.size, entry.mtime, entry.mode = len(content), at, 0o600
                archive.addfile(entry, io.BytesIO(content))
        return packed.getvalue()
