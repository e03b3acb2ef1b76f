"""Writes an image as an OCI layout in one tar archive, the form that `ctr images import` takes."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.image.store import Layer

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a container of the image begins with."""

    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = ""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()

    def document(self, layers: Sequence[Layer], created: str) -> dict[str, Any]:
        """The image's configuration, as the OCI image specification has it."""
        config = {
            "User": self.user,
            "Env": [f"{name}={value}" for name, value in self.env.items()],
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.cmd),
            "WorkingDir": self.workdir,
            "Labels": dict(self.labels),
        }
        return {
            "created": created,
            "architecture": _MACHINES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {name: value for name, value in config.items() if value},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
            "history": [{"created": created, "created_by": layer.title} for layer in layers],
        }


def write_archive(
    target: Path, name: str, configuration: Configuration, layers: Sequence[tuple[Layer, Path]], created: str
) -> str:
    """Write the archive and give the manifest's digest. `layers`: each with its file, the lowest first."""
    config = _json(configuration.document([layer for layer, _ in layers], created))
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _described(_CONFIG, config),
            "layers": [{"mediaType": _LAYER, "digest": layer.digest, "size": layer.size} for layer, _ in layers],
        }
    )
    names = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
    index = {"schemaVersion": 2, "mediaType": _INDEX}
    index |= {"manifests": [{**_described(_MANIFEST, manifest), "annotations": names}]}
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        _text(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _text(archive, "index.json", _json(index))
        for blob in (config, manifest):
            _text(archive, f"blobs/{_digest(blob).replace(':', '/')}", blob)
        for digest, path in {layer.digest: path for layer, path in layers}.items():
            info = tarfile.TarInfo(f"blobs/{digest.replace(':', '/')}")
            info.size = path.stat().st_size
            with path.open("rb") as content:
                archive.addfile(info, content)
    return _digest(manifest)


def _described(media_type: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _text(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))
