"""How large an image is as a registry has it: each layer compressed by itself. What is known of a layer is kept."""

import json
import zlib
from collections.abc import Callable
from pathlib import Path

from e2e.image.reading import ImageArchive

MOST_COMPRESSED_BYTES = 200_000_000
"""Of all layers together."""

_CHUNK = 1 << 20
# What registries' clients compress with.
_LEVEL = 6


def compressed(image: ImageArchive, kept: Path, tick: Callable[[str], None] = lambda _: None) -> int:
    """Bytes of the image's layers, each compressed by gzip. `kept`: a JSON file of sizes by digest, made anew."""
    known = _known(kept)
    sizes = {}
    for name, digest in zip(image.layers, image.configuration["rootfs"]["diff_ids"], strict=True):
        sizes[digest] = known.get(digest) or _compressed(image, name, tick)
    unfinished = kept.with_suffix(".part")
    unfinished.write_text(json.dumps(sizes), encoding="utf-8")
    unfinished.replace(kept)
    return sum(sizes[digest] for digest in image.configuration["rootfs"]["diff_ids"])


def too_large(size: int) -> list[str]:
    """A line when a compressed image of that many bytes is too large."""
    if size < MOST_COMPRESSED_BYTES:
        return []
    most = MOST_COMPRESSED_BYTES / 1e6
    return [f"the image has {size / 1e6:.0f} MB compressed, {most:.0f} MB at most: see what its layers hold"]


def _known(kept: Path) -> dict[str, int]:
    try:
        found = json.loads(kept.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return {digest: size for digest, size in found.items() if isinstance(size, int)}


def _compressed(image: ImageArchive, name: str, tick: Callable[[str], None]) -> int:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    total = 0
    with image.layer(name) as blob:
        while content := blob.read(_CHUNK):
            total += len(packer.compress(content))
            tick("")
    return total + len(packer.flush())
