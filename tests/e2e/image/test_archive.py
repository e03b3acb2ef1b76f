"""The archive that containerd imports."""

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

from e2e.image.archive import Configuration, write_archive
from e2e.image.store import Layer, digest_of

CREATED = "2026-01-01T00:00:00Z"


def archived(tmp_path: Path) -> tuple[str, dict[str, bytes]]:
    (tmp_path / "layer").write_bytes(b"of a layer")
    layer = Layer("key", digest_of(tmp_path / "layer"), 10, "RUN true")
    configuration = Configuration(env={"A": "1"}, user="65532", entrypoint=("aim-gpu",))
    digest = write_archive(
        tmp_path / "image.tar", "localhost/x:dev", configuration, [(layer, tmp_path / "layer")], CREATED
    )
    with tarfile.open(tmp_path / "image.tar") as archive:
        return digest, {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def blob(files: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    content = files["blobs/" + descriptor["digest"].replace(":", "/")]
    assert descriptor["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert descriptor["size"] == len(content)
    return content


def test_every_descriptor_leads_to_its_blob(tmp_path: Path) -> None:
    digest, files = archived(tmp_path)
    (described,) = json.loads(files["index.json"])["manifests"]
    assert described["digest"] == digest
    assert described["annotations"]["io.containerd.image.name"] == "localhost/x:dev"
    manifest = json.loads(blob(files, described))
    assert [blob(files, layer) for layer in manifest["layers"]] == [b"of a layer"]
    config = json.loads(blob(files, manifest["config"]))
    assert config["config"] == {"Env": ["A=1"], "User": "65532", "Entrypoint": ["aim-gpu"], "WorkingDir": "/"}
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]
