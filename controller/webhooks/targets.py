"""Where the API server is told of webhooks: which objects, which `clientConfig` in them, which path each calls. Pure.

target.places(object) -> [Place] -> patch(target, object, address) -> JSON patch operations
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from controller.runtime.client.core import CUSTOM_RESOURCE_DEFINITIONS
from controller.runtime.client.resource import Resource
from controller.runtime.manifest import Manifest, version_of


class Unusable(ValueError):
    """An installed object in which our webhooks have no place; the text names it and the remedy."""


@dataclass(frozen=True, slots=True)
class Address:
    """How the API server reaches and trusts the webhooks.

    `ca_bundle`: base64 PEM; "" where its own roots, or somebody else's bundle, will do; None where somebody else (such
    as cert-manager) puts one in and nothing works without. `base_url`: `https://HOST:PORT` outside the cluster, None
    for the Service that is installed.
    """

    ca_bundle: str | None
    base_url: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """One `clientConfig`: the JSON pointer to it, what is there now, and the path of the URL that belongs there.

    `tests` must hold for the pointer to be right, as JSON patch operations.
    """

    pointer: str
    installed: Mapping[str, Any]
    path: str
    tests: Sequence[Mapping[str, Any]] = field(default=())


class Target(Protocol):
    """One object that names webhooks of ours. `str` of it says kind and name."""

    @property
    def resource(self) -> Resource:
        """The object's kind."""
        ...

    @property
    def name(self) -> str:
        """The object's name."""
        ...

    def places(self, present: Manifest) -> list[Place]:
        """Every place in `present` that is ours. Raises Unusable when one is missing."""
        ...


@dataclass(frozen=True, slots=True)
class WebhookConfiguration:
    """A mutating or validating webhook configuration. `paths`: the path of each webhook of ours, by its name.

    Webhooks of other names in it are left alone.
    """

    resource: Resource
    name: str
    paths: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.resource.kind} {self.name}"

    def places(self, present: Manifest) -> list[Place]:
        """One for each of `paths`. Raises Unusable when the configuration lacks one."""
        webhooks = present.get("webhooks") or ()
        positions = {webhook["name"]: position for position, webhook in enumerate(webhooks)}
        missing = [name for name in self.paths if name not in positions]
        if missing:
            found = ", ".join(positions) or "none"
            raise Unusable(f"{self}: webhooks {found} lack {', '.join(missing)}; apply the manifests again")
        return [self._place(positions[name], webhooks[positions[name]], path) for name, path in self.paths.items()]

    def _place(self, position: int, webhook: Mapping[str, Any], path: str) -> Place:
        pointer = f"/webhooks/{position}"
        test = {"op": "test", "path": f"{pointer}/name", "value": webhook["name"]}
        return Place(f"{pointer}/clientConfig", webhook["clientConfig"], path, (test,))


@dataclass(frozen=True, slots=True)
class Conversion:
    """The conversion webhook of a CustomResourceDefinition. `versions`: those that the webhook converts."""

    name: str
    path: str
    versions: Sequence[str]

    def __str__(self) -> str:
        return f"{self.resource.kind} {self.name}"

    @property
    def resource(self) -> Resource:
        """CustomResourceDefinitions."""
        return CUSTOM_RESOURCE_DEFINITIONS

    def places(self, present: Manifest) -> list[Place]:
        """The one place; none for a definition of a single version, which has nothing to convert.

        Raises Unusable for several versions without a conversion webhook: what only one of them can say would be lost.
        Also where objects may be stored in another version, which a later release did: they could not be read.
        """
        stored = (present.get("status") or {}).get("storedVersions") or ()
        if unknown := sorted(set(stored) - set(self.versions)):
            raise Unusable(
                f"{self}: objects are stored in {', '.join(unknown)}, this release converts {', '.join(self.versions)}"
                " alone; run the release again that stored them"
            )
        spec = present["spec"]
        conversion = spec.get("conversion") or {}
        if conversion.get("strategy") == "Webhook":
            installed = conversion["webhook"].get("clientConfig") or {}
            return [Place("/spec/conversion/webhook/clientConfig", installed, self.path)]
        if len(spec["versions"]) == 1:
            return []
        versions = ", ".join(version["name"] for version in spec["versions"])
        raise Unusable(f"{self}: versions {versions} without a conversion webhook; apply the definition again")


def bundle_of(place: Place) -> bytes:
    """The authorities, PEM, that the API server trusts at `place`; empty where it is told of none."""
    return base64.b64decode(place.installed.get("caBundle") or "")


def patch(target: Target, present: Manifest, address: Address) -> list[dict[str, Any]]:
    """The JSON patch that puts `address` into every place of `target`; empty when all is there already.

    Raises Unusable when a place is missing or cannot be used as it is.
    """
    changes: list[dict[str, Any]] = []
    for place in target.places(present):
        wanted = _wanted(target, place, address)
        if wanted != place.installed:
            changes += [*map(dict, place.tests), {"op": "add", "path": place.pointer, "value": wanted}]
    if not changes:
        return []
    return [{"op": "test", "path": "/metadata/resourceVersion", "value": version_of(present)}, *changes]


def _wanted(target: Target, place: Place, address: Address) -> dict[str, Any]:
    installed = place.installed
    if address.base_url is not None:
        wanted: dict[str, Any] = {"url": f"{address.base_url}{place.path}"}
    elif service := installed.get("service"):
        wanted = {"service": service}
    else:
        raise Unusable(f"{target}: {place.pointer} names no Service; apply the manifests again, or give --webhook-url")
    bundle = address.ca_bundle or installed.get("caBundle")
    if bundle:
        wanted["caBundle"] = bundle
    elif address.ca_bundle is None:
        raise Unusable(
            f"{target}: {place.pointer} has no caBundle, and nobody put one in; annotate the object with"
            " cert-manager.io/inject-ca-from, or choose --certificates self"
        )
    return wanted
