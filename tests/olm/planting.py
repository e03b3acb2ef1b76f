"""Copies of the committed bundle and catalogue with a defect in them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from olm.sources import PACKAGE, ROOT

Json = dict[str, Any]
BUNDLE = ROOT / "olm/bundle"
CATALOGUE = ROOT / "olm/catalog"
SERVICE_VERSION = f"manifests/{PACKAGE}.clusterserviceversion.yaml"


def bundle_with(folder: Path, spoil: Callable[[Json], object]) -> Path:
    """The bundle, its ClusterServiceVersion spoilt."""
    copy = folder / "bundle"
    shutil.copytree(BUNDLE, copy)
    path = copy / SERVICE_VERSION
    service_version = yaml.safe_load(path.read_text(encoding="utf-8"))
    spoil(service_version)
    path.write_text(yaml.safe_dump(service_version), encoding="utf-8")
    return copy


def catalogue_with(folder: Path, spoil: Callable[[list[Json]], object]) -> Path:
    """The catalogue, its documents spoilt."""
    (path,) = CATALOGUE.rglob("*.yaml")
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    spoil(documents)
    copy = folder / path.relative_to(CATALOGUE)
    copy.parent.mkdir(parents=True)
    copy.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    return folder
