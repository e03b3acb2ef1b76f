"""What an image weighs in a registry."""

import gzip
import json
from pathlib import Path

import pytest

from e2e.image.archive import Configuration, write_archive
from e2e.image.reading import image_archive
from e2e.image.sizes import MOST_COMPRESSED_BYTES, compressed, too_large
from e2e.image.store import Layer, digest_of

CONTENT = b"a layer of the same words " * 1000


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    (tmp_path / "layer").write_bytes(CONTENT)
    layer = Layer("key", digest_of(tmp_path / "layer"), len(CONTENT), "RUN true")
    write_archive(tmp_path / "image.tar", "x:1", Configuration(), [(layer, tmp_path / "layer")], "2026-01-01T00:00:00Z")
    return tmp_path / "image.tar"


def test_a_layer_counts_as_gzip_leaves_it(archive: Path, tmp_path: Path) -> None:
    with image_archive(archive) as image:
        assert compressed(image, tmp_path / "kept.json") == len(gzip.compress(CONTENT, 6))


def test_what_is_known_of_a_layer_is_not_found_out_again(archive: Path, tmp_path: Path) -> None:
    kept, ticks = tmp_path / "kept.json", list[str]()
    with image_archive(archive) as image:
        first = compressed(image, kept, ticks.append)
        assert ticks
        ticks.clear()
        assert compressed(image, kept, ticks.append) == first
    assert ticks == []


@pytest.mark.parametrize("text", ["{", '{"sha256:other": 1}', '{"DIGEST": "many"}'], ids=["half", "other", "no number"])
def test_notes_that_say_nothing_of_a_layer_are_made_anew(archive: Path, tmp_path: Path, text: str) -> None:
    kept = tmp_path / "kept.json"
    with image_archive(archive) as image:
        (digest,) = image.configuration["rootfs"]["diff_ids"]
        kept.write_text(text.replace("DIGEST", digest))
        size = compressed(image, kept)
    assert json.loads(kept.read_text()) == {digest: size}
    assert size > 1


def test_an_image_of_the_bound_is_too_large() -> None:
    assert too_large(MOST_COMPRESSED_BYTES - 1) == []
    assert "200 MB compressed" in too_large(MOST_COMPRESSED_BYTES)[0]
