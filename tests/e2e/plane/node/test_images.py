"""Image archives that no container engine wrote."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from e2e.plane.node.images import BUSYBOX_IMAGE, COREDNS_IMAGE, Image, small_images, write_images

BUSYBOX = b"\x7fELF busybox"


def read(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr]


def blob(contents: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    content = contents[f"blobs/sha256/{descriptor['digest'].removeprefix('sha256:')}"]
    assert descriptor["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert descriptor["size"] == len(content)
    return content


def test_every_descriptor_names_what_the_archive_holds(tmp_path: Path) -> None:
    write_images(tmp_path / "images.tar", small_images(BUSYBOX, b"dns"))
    contents = read(tmp_path / "images.tar")

    index = json.loads(contents["index.json"])
    for entry in index["manifests"]:
        manifest = json.loads(blob(contents, entry))
        config = json.loads(blob(contents, manifest["config"]))
        layer = blob(contents, manifest["layers"][0])
        assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert [entry["annotations"]["io.containerd.image.name"] for entry in index["manifests"]] == [
        "localhost/pause:1",
        BUSYBOX_IMAGE,
        COREDNS_IMAGE,
    ]


def test_a_layer_has_files_links_and_the_folders_above_them(tmp_path: Path) -> None:
    image = Image(
        "localhost/x:1", {"opt/a/b": b"content"}, {"bin/c": "../opt/a/b"}, ("c",), ("/bin/d",), {"KEY": "value"}
    )
    write_images(tmp_path / "images.tar", [image])
    contents = read(tmp_path / "images.tar")

    manifest = json.loads(blob(contents, json.loads(contents["index.json"])["manifests"][0]))
    with tarfile.open(fileobj=io.BytesIO(blob(contents, manifest["layers"][0]))) as layer:
        entries = {entry.name: (entry.type, entry.linkname, entry.mode) for entry in layer}
    assert entries["opt/a"] == (tarfile.DIRTYPE, "", 0o755)
    assert entries["bin/c"][:2] == (tarfile.SYMTYPE, "../opt/a/b")
    assert entries["opt/a/b"] == (tarfile.REGTYPE, "", 0o755)
    assert json.loads(blob(contents, manifest["config"]))["config"] == {
        "Entrypoint": ["/bin/d"],
        "Cmd": ["c"],
        "Env": ["KEY=value"],
    }


def test_the_same_images_make_the_same_archive(tmp_path: Path) -> None:
    for name in ("one.tar", "other.tar"):
        write_images(tmp_path / name, small_images(BUSYBOX, b"dns"))

    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "other.tar").read_bytes()
