"""Copies manifests out of a Go module, unchanged, into one JSON file: a plane that starts needs no Go and no YAML.

The file maps each path inside the module to the objects of that YAML file. What a plane changes in them (addresses,
certificates) is its own matter.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml

from e2e.plane.admin import Object
from e2e.plane.errors import BuildError
from e2e.plane.programs import Family, Manifests

_DOWNLOAD_SECONDS = 600

_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it is there


def write_manifests(family: Family, manifests: Manifests, go: Path, output: Path, environ: Mapping[str, str]) -> None:
    """Write the objects of the listed files to `output`. Raises BuildError."""
    folder = module_folder(family, manifests.module, go, environ)
    objects = {file: _documents(folder / file) for file in manifests.files}
    output.write_text(json.dumps(objects), encoding="utf-8")


def read_manifests(path: Path) -> dict[str, list[Object]]:
    """Path inside the module -> the objects of that file."""
    objects: dict[str, list[Object]] = json.loads(path.read_text(encoding="utf-8"))
    return objects


def module_folder(family: Family, module: str, go: Path, environ: Mapping[str, str]) -> Path:
    """Where Go keeps the module, at the version that the family locks; downloads it if need be. Raises BuildError."""
    command = [str(go), "mod", "download", "-json", module]
    try:
        told = subprocess.run(
            command,
            cwd=family.module,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_DOWNLOAD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(f"{module} {family.version} was not downloaded within {_DOWNLOAD_SECONDS} s") from None
    if told.returncode != 0:
        # Go tells a failed download in its JSON, everything else on stderr.
        raise BuildError(f"{' '.join(command)} ended with {told.returncode}:\n{told.stderr.strip() or told.stdout}")
    return Path(json.loads(told.stdout)["Dir"])


def _documents(file: Path) -> list[Object]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise BuildError(f"{file} cannot be read ({error}): does this version of the module have it?") from error
    return [document for document in yaml.load_all(text, Loader=_LOADER) if document]
