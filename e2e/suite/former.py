"""Release 0.1.0 as it was installed, which had no chart: its objects, and its image where this checkout can make it."""

import re
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

from e2e.image import BuiltImage, build_image
from e2e.plane import Progress

RELEASES: Final = Path(__file__).parents[1] / "releases"
VERSION: Final = "0.1.0"
IMAGE: Final = f"localhost/aim-gpu-sharing:{VERSION}"
_BUILT_NAME: Final = "localhost/aim-gpu-sharing:dev"
"""The image that its manifests name."""
_WORKLOADS: Final = ("operator.yaml", "agent-simulated.yaml", "agent-access.yaml")
_LIMIT_SECONDS = 60

Object = dict[str, Any]


class NoSuchCommit(Exception):
    """This checkout does not have the commit that the release was made from."""


def definitions() -> list[Object]:
    """Its CustomResourceDefinitions."""
    return _documents(sorted((RELEASES / VERSION / "crds").glob("*.yaml")))


def objects(image: str) -> list[Object]:
    """What it was installed with, for nodes with simulated GPUs; its pods run `image`."""
    manifests = RELEASES / VERSION / "manifests"
    files = [*sorted(manifests.glob("*.yaml")), *(manifests / "workloads" / name for name in _WORKLOADS)]
    return [_with_image(one, image) for one in _documents(files)]


def commit() -> str:
    """The commit that the table of releases names."""
    table = (RELEASES / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"^\| {re.escape(VERSION)} \| `([0-9a-f]{{40}})` \|$", table, re.MULTILINE)
    if found is None:
        raise NoSuchCommit(f"{RELEASES / 'README.md'} names no commit for {VERSION}")
    return found[1]


def build_former_image(progress: Progress) -> BuiltImage:
    """Its image, from the files of its commit. Raises NoSuchCommit (a shallow clone has no history), ImageError."""
    wanted = commit()
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "source.tar"
        command = ["git", "-C", str(RELEASES.parents[1]), "archive", "--format=tar", f"--output={archive}", wanted]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False)
        if done.returncode:
            raise NoSuchCommit(f"git has no {wanted[:12]} ({done.stderr.strip()}): `git fetch --unshallow` brings it")
        source = Path(folder) / "source"
        with tarfile.open(archive) as packed:
            packed.extractall(source, filter="tar")
        return build_image(progress, source=source, name=IMAGE)


def _documents(files: list[Path]) -> list[Object]:
    return [one for file in files for one in yaml.safe_load_all(file.read_text(encoding="utf-8")) if one]


def _with_image(one: Object, image: str) -> Object:
    for container in one.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ()):
        if container["image"] == _BUILT_NAME:
            container["image"] = image
    return one
