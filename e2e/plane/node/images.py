"""Writes container images without a container engine: OCI layouts in a tar file, as `ctr images import` reads them."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.plane.node.configuration import PAUSE_IMAGE

BUSYBOX_IMAGE = "localhost/busybox:1"
COREDNS_IMAGE = "localhost/coredns:1"
APPLETS = (
    "ash", "base64", "cat", "chmod", "cp", "date", "dd", "echo", "env", "false", "grep", "head", "hostname", "httpd",
    "id", "ip", "kill", "ls", "mkdir", "mv", "nc", "netstat", "nslookup", "ping", "ps", "rm", "sed", "seq", "sh",
    "sleep", "stat", "sync", "tail", "test", "timeout", "top", "touch", "tr", "trap", "true", "wc", "wget", "yes",
)  # fmt: skip
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_LAYER = "application/vnd.oci.image.layer.v1.tar"  # packing takes longer than it saves: it is read once, from here
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"


@dataclass(frozen=True, slots=True)
class Image:
    """One image of one layer: `files` by path (without the leading slash), `links` from path to target."""

    name: str
    files: Mapping[str, bytes]
    links: Mapping[str, str] = field(default_factory=dict)
    command: Sequence[str] = ()
    entrypoint: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=lambda: {"PATH": "/bin"})


def small_images(busybox: bytes, coredns: bytes) -> Sequence[Image]:
    """The pause image that holds a pod's namespaces, busybox with the usual programs, and CoreDNS."""
    links = {f"bin/{applet}": "busybox" for applet in APPLETS}
    # PID 1 ignores signals that it does not handle, but containerd kills this one
    pause = Image(PAUSE_IMAGE, {"bin/busybox": busybox}, {"bin/sleep": "busybox"}, ("/bin/sleep", "2147483647"))
    passwd = b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
    files = {"bin/busybox": busybox, "etc/passwd": passwd, "tmp/.keep": b""}
    dns = Image(COREDNS_IMAGE, {"bin/coredns": coredns}, entrypoint=("/bin/coredns",))
    return pause, Image(BUSYBOX_IMAGE, files, links, ("/bin/sh",)), dns


def write_images(path: Path, images: Sequence[Image]) -> None:
    """Write all into one tar file; what several of them share is there once."""
    blobs: dict[str, bytes] = {}
    manifests = [_add(image, blobs) for image in images]
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}
    contents = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": _json(index)}
    contents |= {f"blobs/sha256/{digest}": blob for digest, blob in blobs.items()}
    with tarfile.open(path, "w") as archive:
        for name, content in contents.items():
            _file(archive, name, content, 0o644)


def _add(image: Image, blobs: dict[str, bytes]) -> dict[str, Any]:
    """Put the image's blobs to the others; gives its entry for the index."""
    layer = _layer(image)
    settings = {
        "Entrypoint": list(image.entrypoint),
        "Cmd": list(image.command),
        "Env": [f"{key}={value}" for key, value in image.environ.items()],
    }
    config = {
        "architecture": _MACHINES[platform.machine()],
        "os": "linux",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _describe(blobs, _CONFIG, _json(config)),
        "layers": [_describe(blobs, _LAYER, layer)],
    }
    return _describe(blobs, _MANIFEST, _json(manifest)) | {"annotations": {"io.containerd.image.name": image.name}}


def _layer(image: Image) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        paths = [Path(name) for name in (*image.files, *image.links)]
        for folder in sorted({str(parent) for path in paths for parent in path.parents} - {"."}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(entry)
        for name, content in image.files.items():
            _file(archive, name, content, 0o755)
        for name, target in image.links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return written.getvalue()


def _file(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _describe(blobs: dict[str, bytes], media_type: str, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    blobs[digest] = content
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True).encode()
