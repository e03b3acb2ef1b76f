"""An image of two Debian packages and two Python distributions, as `docker save` writes it."""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

PACKAGES = "opt/aim-gpu/lib/python3.11/site-packages"
STATUS = """\
Package: kmod
Status: install ok installed
Architecture: amd64
Source: kmod-source (30-1)
Version: 30+20221128-1
Description: tools
 of several lines

Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1
"""
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
License: GPL-2+
 Its text, of which
 License: this line is a part.

Files: b
License: Expat
"""
RECORD = "flask/__init__.py,sha256=x,1\nflask-3.0.dist-info/METADATA,,\n../../../bin/flask,,\n"
FILES = {
    "usr/lib/os-release": 'ID=debian\nVERSION_ID="12"\n',
    "var/lib/dpkg/status": STATUS,
    "var/lib/dpkg/info/kmod.list": "/bin/kmod\n/usr/share/doc/kmod/copyright\n",
    "var/lib/dpkg/info/libc6:amd64.list": "/lib/libc.so.6\n/usr/lib/os-release\n/usr/share/doc/libc6/copyright\n",
    "usr/bin/kmod": "",
    "usr/lib/libc.so.6": "",
    "usr/share/doc/kmod/copyright": COPYRIGHT,
    "usr/share/doc/libc6/copyright": "This text is for people.\nLicense: LGPL\n",
    "etc/passwd": "root",
    "opt/aim-gpu/pyvenv.cfg": "",
    "opt/aim-gpu/bin/activate": "",
    "opt/aim-gpu/bin/flask": "",
    f"{PACKAGES}/flask/__init__.py": "",
    f"{PACKAGES}/flask/__pycache__/__init__.cpython-311.pyc": "",
    f"{PACKAGES}/flask-3.0.dist-info/METADATA": "Metadata-Version: 2.4\nName: Flask\nVersion: 3.0\nLicense-Expression: BSD-3-Clause AND MIT\n\nLong text\n",
    f"{PACKAGES}/flask-3.0.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: py2-none-any\nTag: py3-none-any\n",
    f"{PACKAGES}/flask-3.0.dist-info/RECORD": RECORD,
    f"{PACKAGES}/aim_gpu_sharing-0.2.0.dist-info/METADATA": "Name: aim-gpu-sharing\nVersion: 0.2.0\nLicense-Expression: Apache-2.0\n",
    f"{PACKAGES}/aim_gpu_sharing-0.2.0.dist-info/RECORD": "aim_gpu_sharing-0.2.0.dist-info/METADATA,,\naim_gpu_sharing-0.2.0.dist-info/RECORD,,\n",
}
FILES[f"{PACKAGES}/flask-3.0.dist-info/RECORD"] += "flask-3.0.dist-info/RECORD,,\nflask-3.0.dist-info/WHEEL,,\n"
LOCK = """\
[[package]]
name = "flask"
version = "3.0"
wheels = [
  { url = "https://example.com/flask-3.0-cp311-cp311-win32.whl", hash = "sha256:00" },
  { url = "https://example.com/flask-3.0-py2.py3-none-any.whl", hash = "sha256:HASH" },
]
""".replace("HASH", "ab" * 32)


def saved(path: Path, files: Mapping[str, str] = FILES, *upper: Mapping[str, str]) -> Path:
    """An archive with a layer of each, the lowest first."""
    layers = [_packed({name: text.encode() for name, text in layer.items()}) for layer in (files, *upper)]
    config = {
        "created": "2026-01-01T00:00:00Z",
        "config": {},
        "rootfs": {"diff_ids": [f"sha256:{n}" for n in range(len(layers))]},
    }
    manifest = [{"Config": "config.json", "Layers": [f"{n}/layer.tar" for n in range(len(layers))]}]
    documents = {"manifest.json": json.dumps(manifest).encode(), "config.json": json.dumps(config).encode()}
    path.write_bytes(_packed({**documents, **{f"{n}/layer.tar": layer for n, layer in enumerate(layers)}}))
    return path


def _packed(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()
