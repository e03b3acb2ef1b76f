"""Images in archives of several makers."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from e2e.image.errors import ImageError
from e2e.image.reading import image_archive

CONFIG = {"config": {"User": "1:1"}, "rootfs": {"diff_ids": ["sha256:l"]}}


def packed(path: Path, files: dict[str, object]) -> Path:
    """A tar archive of JSON documents, or of bytes as they are."""
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def layer(folder: Path) -> bytes:
    return packed(folder / "layer.tar", {"etc/name": b"content"}).read_bytes()


def oci(manifests: list[dict[str, object]], tmp_path: Path) -> dict[str, object]:
    """An OCI layout with an index, a manifest `m`, its configuration and its layer."""
    manifest = {"config": {"digest": "sha256:c"}, "layers": [{"digest": "sha256:l"}]}
    blobs = {"m": manifest, "c": CONFIG, "l": layer(tmp_path)}
    return {"index.json": {"manifests": manifests}, **{f"blobs/sha256/{name}": blob for name, blob in blobs.items()}}


def docker(tmp_path: Path) -> dict[str, object]:
    """What `docker save` writes, old or new, as far as it is read."""
    found = {"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["l/layer.tar"]}
    return {"manifest.json": [found], "c.json": CONFIG, "l/layer.tar": gzip.compress(layer(tmp_path))}


ATTESTED: list[dict[str, object]] = [{"digest": "sha256:a", "platform": {"os": "unknown"}}, {"digest": "sha256:m"}]


def archives(tmp_path: Path) -> dict[str, dict[str, object]]:
    nested = oci([{"digest": "sha256:i"}], tmp_path)
    return {
        "ours": oci([{"digest": "sha256:m"}], tmp_path),
        "an index of an index": {**nested, "blobs/sha256/i": {"manifests": [{"digest": "sha256:m"}]}},
        "attested": oci(ATTESTED, tmp_path),
        "docker": docker(tmp_path),
    }


@pytest.mark.parametrize("maker", ["ours", "an index of an index", "attested", "docker"])
def test_an_image_is_unpacked_whoever_wrote_it(maker: str, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    with image_archive(packed(tmp_path / "image.tar", archives(tmp_path)[maker])) as image:
        assert image.configuration == CONFIG
        image.unpack(tmp_path / "root")
    assert (tmp_path / "root/etc/name").read_bytes() == b"content"
    assert sorted(path.name for path in tmp_path.glob("root*")) == ["root"]


@pytest.mark.parametrize(
    ("files", "want"),
    [
        ({"some": b""}, "holds no image"),
        ({"index.json": {"manifests": [ATTESTED[0]]}}, "leads to no image"),
        ({"index.json": {"manifests": [{"digest": "sha256:m"}]}}, "no file blobs/sha256/m"),
    ],
    ids=["another archive", "attestations alone", "a blob is missing"],
)
def test_what_holds_no_image_is_told(files: dict[str, object], want: str, tmp_path: Path) -> None:
    path = packed(tmp_path / "image.tar", files)
    with pytest.raises(ImageError, match=want), image_archive(path):
        pass


def test_a_file_that_is_no_archive_is_told(tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_text("not at all")
    with pytest.raises(ImageError, match="is no tar archive"), image_archive(tmp_path / "image.tar"):
        pass
