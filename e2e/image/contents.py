"""The files that a container of an image sees, read out of its layers without unpacking them."""

import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from e2e.image.errors import ImageError
from e2e.image.reading import ImageArchive

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


@dataclass(frozen=True, slots=True)
class Contents:
    """Paths are relative to the root. `files`: the regular ones; `links`: where one leads; `texts`: what was read."""

    files: frozenset[str]
    links: Mapping[str, str]
    texts: Mapping[str, str]


def contents(image: ImageArchive, wanted: Callable[[str], bool]) -> Contents:
    """What is in an image, with the texts of wanted files. Raises ImageError for a layer that is no tar archive."""
    files: set[str] = set()
    links: dict[str, str] = {}
    texts: dict[str, str] = {}
    for name in image.layers:
        try:
            with image.layer(name) as layer, tarfile.open(fileobj=layer) as archive:
                members = archive.getmembers()
                for member in members:
                    folder, _, base = member.name.removeprefix("./").rpartition("/")
                    if base.startswith(_WHITEOUT):
                        gone = folder if base == _OPAQUE else f"{folder}/{base.removeprefix(_WHITEOUT)}".lstrip("/")
                        for known in (files, links, texts):
                            _remove(known, gone, itself=base != _OPAQUE)
                for member in members:
                    _add(archive, member, files, links, texts, wanted)
        except tarfile.ReadError as error:
            raise ImageError(f"layer {name} of the image is no tar archive: {error}") from error
    return Contents(frozenset(files), links, texts)


def _remove(known: set[str] | dict[str, str], gone: str, *, itself: bool) -> None:
    for path in [path for path in known if path.startswith(f"{gone}/") or (itself and path == gone)]:
        known.discard(path) if isinstance(known, set) else known.pop(path)


def _add(
    archive: tarfile.TarFile,
    member: tarfile.TarInfo,
    files: set[str],
    links: dict[str, str],
    texts: dict[str, str],
    wanted: Callable[[str], bool],
) -> None:
    path = member.name.removeprefix("./")
    if path.rpartition("/")[2].startswith(_WHITEOUT) or member.isdir():
        return
    files.discard(path)
    links.pop(path, None)
    texts.pop(path, None)
    if member.issym():
        links[path] = member.linkname
    elif member.isfile() or member.islnk():
        files.add(path)
        if wanted(path):
            content = archive.extractfile(member)
            if content is None:
                raise ImageError(f"{path} of the image cannot be read")
            texts[path] = content.read().decode(errors="replace")
