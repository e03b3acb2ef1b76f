"""Reads an image out of one tar archive: an OCI layout, as `build_image` writes, or what `docker save` does."""

import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from e2e.image.errors import ImageError
from e2e.image.tree import unpack_layer

_OF_DOCKER = "manifest.json"
_OF_OCI = "index.json"


@dataclass(frozen=True, slots=True)
class ImageArchive:
    """`configuration`: as the OCI image specification has it. `layers`: names of the layers' files, lowest first."""

    archive: tarfile.TarFile
    configuration: dict[str, Any]
    layers: tuple[str, ...]

    def layer(self, name: str) -> IO[bytes]:
        """A layer's tar archive, as it is kept: perhaps compressed."""
        return _file(self.archive, name)

    def unpack(self, root: Path, tick: Callable[[str], None] = lambda _: None) -> None:
        """Fill the folder `root` with what a container of the image sees. Raises StepFailed."""
        kept = root.with_name(f"{root.name}.layer")
        for name in self.layers:
            tick(name)
            try:
                with self.layer(name) as content, kept.open("wb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
                unpack_layer(kept, root)
            finally:
                kept.unlink(missing_ok=True)


@contextmanager
def image_archive(path: Path) -> Iterator[ImageArchive]:
    """The image in the archive `path`; of several the first. Raises ImageError where it holds none, OSError."""
    try:
        with tarfile.open(path) as archive:
            names = set(archive.getnames())
            if _OF_DOCKER in names:
                found = _json(archive, _OF_DOCKER)[0]
                yield ImageArchive(archive, _json(archive, found["Config"]), tuple(found["Layers"]))
            elif _OF_OCI in names:
                manifest = _manifest(archive, _json(archive, _OF_OCI))
                layers = tuple(_name(one) for one in manifest["layers"])
                yield ImageArchive(archive, _json(archive, _name(manifest["config"])), layers)
            else:
                raise ImageError(f"{path} holds no image: it has neither {_OF_OCI} nor {_OF_DOCKER}")
    except tarfile.ReadError as error:
        raise ImageError(f"{path} is no tar archive ({error}): make it with make image, or docker save") from error


def _manifest(archive: tarfile.TarFile, index: dict[str, Any]) -> dict[str, Any]:
    """The first manifest that is of an image: an index may lead to others, and to attestations of no platform."""
    for described in index["manifests"]:
        if described.get("platform", {}).get("os") == "unknown":
            continue
        found: dict[str, Any] = _json(archive, _name(described))
        return _manifest(archive, found) if "manifests" in found else found
    raise ImageError(f"{_OF_OCI} leads to no image")


def _name(descriptor: dict[str, Any]) -> str:
    return "blobs/" + str(descriptor["digest"]).replace(":", "/")


def _json(archive: tarfile.TarFile, name: str) -> Any:
    with _file(archive, name) as file:
        return json.load(file)


def _file(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    try:
        found = archive.extractfile(name)
    except KeyError:
        found = None
    if found is None:
        raise ImageError(f"the image's archive has no file {name}: remove the archive and make it anew")
    return found
