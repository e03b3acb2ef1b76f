"""The bundles of released versions, as `e2e/releases` keeps them: where the catalogue's upgrades come from."""

from pathlib import Path
from typing import Final

import yaml

from olm.catalogue import Bundle
from olm.sources import ROOT, Object, of_kind

RELEASES: Final = ROOT / "e2e/releases"
WITHOUT_OLM: Final = frozenset({"0.1.0"})
"""Versions that never had a bundle: no subscription can be at one."""


def released(releases: Path = RELEASES) -> list[Bundle]:
    """The bundle of every release that had one, oldest first; LookupError names the folder where one is missing."""
    versions = [path.name for path in releases.iterdir() if path.is_dir() and path.name not in WITHOUT_OLM]
    return [_read(releases / version / "bundle") for version in sorted(versions, key=_order)]


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _read(folder: Path) -> Bundle:
    texts = [path.read_text(encoding="utf-8") for path in sorted((folder / "manifests").glob("*.yaml"))]
    objects: list[Object] = [found for text in texts for found in yaml.safe_load_all(text) if found]
    versions = of_kind(objects, "ClusterServiceVersion")
    if len(versions) != 1:
        raise LookupError(
            f"{folder}: {len(versions)} ClusterServiceVersions: keep olm/bundle of that release's tag there"
        )
    crds = of_kind(objects, "CustomResourceDefinition")
    return Bundle(versions[0], crds, [each for each in objects if each not in (*versions, *crds)])
