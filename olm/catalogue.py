"""The file-based catalogue: the package, its channel as a graph of upgrades, and each bundle as `opm render` shows it.

    bundles, oldest first -> graph -> package, channel and bundles

A bundle replaces the one before it. The first replaces none: 0.1.0 was installed without OLM, so no subscription can
come from there.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from olm.service_version import icon
from olm.sources import CHANNEL, PACKAGE, Object

IMAGE: Final = "ghcr.io/amd-enterprise-ai/aim-gpu-sharing-bundle"
"""Where bundles' images are pushed; the tag is the version."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One version: its ClusterServiceVersion, its CRDs, and whatever else its manifests are."""

    service_version: Object
    crds: Sequence[Object]
    others: Sequence[Object] = ()

    @property
    def name(self) -> str:
        """Such as aim-gpu-sharing.v0.2.0."""
        return str(self.service_version["metadata"]["name"])

    @property
    def version(self) -> str:
        """Such as 0.2.0."""
        return str(self.service_version["spec"]["version"])

    @property
    def image(self) -> str:
        """Where a cluster pulls it from."""
        return f"{IMAGE}:v{self.version}"


def template(bundles: Sequence[Bundle]) -> list[Object]:
    """What `opm alpha render-template basic` makes the catalogue from: bundles by their image."""
    entries = [_package(bundles[-1]), _channel(bundles), *({"schema": "olm.bundle", "image": b.image} for b in bundles)]
    return [{"schema": "olm.template.basic", "entries": entries}]


def catalogue(bundles: Sequence[Bundle]) -> list[Object]:
    """The whole catalogue, the newest bundle last; ValueError where a version is not newer than the one before."""
    return [_package(bundles[-1]), _channel(bundles), *map(_rendered, bundles)]


def self_contained(bundles: Sequence[Bundle]) -> list[Object]:
    """The same with the manifests themselves and no images: for a cluster that pulls none, such as one of tests."""
    return [_package(bundles[-1]), _channel(bundles), *map(_with_objects, bundles)]


def _package(newest: Bundle) -> Object:
    return {
        "schema": "olm.package",
        "name": PACKAGE,
        "defaultChannel": CHANNEL,
        "description": newest.service_version["metadata"]["annotations"]["description"],
        "icon": {"base64data": icon()["base64data"], "mediatype": icon()["mediatype"]},
    }


def _channel(bundles: Sequence[Bundle]) -> Object:
    entries: list[dict[str, str]] = []
    for before, bundle in zip((None, *bundles), bundles, strict=False):
        if before is not None and _order(before) >= _order(bundle):
            raise ValueError(f"{bundle.name} does not come after {before.name}: give bundles oldest first, each once")
        entries.append({"name": bundle.name} | ({} if before is None else {"replaces": before.name}))
    return {"schema": "olm.channel", "package": PACKAGE, "name": CHANNEL, "entries": entries}


def _order(bundle: Bundle) -> tuple[int, ...]:
    return tuple(int(part) for part in bundle.version.split("."))


def _identity(bundle: Bundle) -> list[Object]:
    """The kinds that it provides, and package and version: what OLM resolves by."""
    owned = bundle.service_version["spec"]["customresourcedefinitions"]["owned"]
    groups = {crd["metadata"]["name"]: crd["spec"]["group"] for crd in bundle.crds}
    provided = sorted((groups[each["name"]], each["kind"], each["version"]) for each in owned)
    return [
        *(
            {"type": "olm.gvk", "value": {"group": group, "kind": kind, "version": version}}
            for group, kind, version in provided
        ),
        {"type": "olm.package", "value": {"packageName": PACKAGE, "version": bundle.version}},
    ]


def _rendered(bundle: Bundle) -> Object:
    metadata, spec = bundle.service_version["metadata"], bundle.service_version["spec"]
    told = {
        "annotations": metadata["annotations"],
        "apiServiceDefinitions": {},
        "crdDescriptions": spec["customresourcedefinitions"],
        **{
            key: spec[key]
            for key in ("description", "displayName", "installModes", "keywords", "links", "maintainers", "maturity")
        },
        "labels": metadata["labels"],
        "minKubeVersion": spec["minKubeVersion"],
        "provider": spec["provider"],
    }
    return {
        "schema": "olm.bundle",
        "name": bundle.name,
        "package": PACKAGE,
        "image": bundle.image,
        "properties": [*_identity(bundle), {"type": "olm.csv.metadata", "value": told}],
        "relatedImages": [{"name": "", "image": bundle.image}, *spec["relatedImages"]],
    }


def _with_objects(bundle: Bundle) -> Object:
    objects = [bundle.service_version, *bundle.crds, *bundle.others]
    return {
        "schema": "olm.bundle",
        "name": bundle.name,
        "package": PACKAGE,
        "properties": [
            *_identity(bundle),
            *(
                {"type": "olm.bundle.object", "value": {"data": base64.b64encode(json.dumps(each).encode()).decode()}}
                for each in objects
            ),
        ],
    }
