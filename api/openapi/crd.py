"""The CustomResourceDefinitions of all kinds, generated from the models.

``python -m api.openapi.crd --out DIR`` writes them, a file a kind, and ``--together FILE`` all into one; the files are
committed with the chart and with this module, and a test compares them with what it gives.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from api.group import GROUP, OPERATOR_NAMESPACE, OPERATOR_SERVICE
from api.markers import rules
from api.object import KubernetesObject
from api.openapi.kind import KINDS, Column, Kind, Version
from api.openapi.structural_schema import structural_schema, without_defaults
from api.openapi.text_form import by_pattern, by_rule

HEADER: Final = "# Generated from the models in api/ by `python -m api.openapi.crd`. Do not edit.\n"


def crds() -> list[dict[str, Any]]:
    """The CustomResourceDefinitions of all kinds, in a fixed order."""
    return [crd(kind) for kind in KINDS]


def crd(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of one kind; the first of its versions is the storage version."""
    storage = next(iter(kind.versions))
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": [kind.short_name],
                "categories": ["aim"],
            },
            "versions": [
                _version(name, version, is_storage=name == storage) for name, version in kind.versions.items()
            ],
        }
        | ({"conversion": _CONVERSION} if len(kind.versions) > 1 else {}),
    }


CONVERSION_PATH: Final = "/convert"
"""Where the operator's webhook server answers the API server's questions for another version."""

_CONVERSION: Final[Mapping[str, Any]] = {
    "strategy": "Webhook",
    "webhook": {
        "conversionReviewVersions": ["v1"],
        # The operator adds the CA, and the URL in place of the Service where it runs outside the cluster.
        "clientConfig": {
            "service": {
                "name": OPERATOR_SERVICE,
                "namespace": OPERATOR_NAMESPACE,
                "path": CONVERSION_PATH,
                "port": 9443,
            }
        },
    },
}


def _version(name: str, version: Version, *, is_storage: bool) -> dict[str, Any]:
    return {
        "name": name,
        "served": True,
        "storage": is_storage,
        "schema": {"openAPIV3Schema": root_schema(version.model) | (rules(*version.rules) if version.rules else {})},
        "subresources": _subresources(version),
        "additionalPrinterColumns": [_column(column) for column in version.columns],
    } | ({"selectableFields": [{"jsonPath": path} for path in version.selectable]} if version.selectable else {})


def root_schema(model: type[KubernetesObject]) -> dict[str, Any]:
    """The schema of a whole object.

    apiVersion, kind and metadata are the API server's own: they are named, not constrained. A status has no
    defaults, since what nobody has written is not known. The form of a text is a rule with a remedy in what users
    write, and a plain pattern in the status.
    """
    schema = structural_schema(model)
    properties = schema["properties"]
    for own in ("apiVersion", "kind"):
        properties[own] = {"description": _ENVELOPE[own], "type": "string"}
    properties["metadata"] = {"type": "object"}
    properties["spec"] = by_rule(properties["spec"])
    properties["status"] = by_pattern(without_defaults(properties["status"]))
    return schema


_ENVELOPE: Final[Mapping[str, str]] = {
    "apiVersion": "The versioned schema of this representation of an object.",
    "kind": "The REST resource this object represents, in CamelCase.",
}


def _subresources(version: Version) -> dict[str, Any]:
    if version.scale is None:
        return {"status": {}}
    spec_replicas, status_replicas, selector = version.scale
    return {
        "status": {},
        "scale": {
            "specReplicasPath": spec_replicas,
            "statusReplicasPath": status_replicas,
            "labelSelectorPath": selector,
        },
    }


def _column(column: Column) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": column.name,
        "type": column.type,
        "description": column.description,
        "jsonPath": column.json_path,
    }
    return written | ({"priority": column.priority} if column.priority else {})


def file_name(definition: Mapping[str, Any]) -> str:
    """The name of a definition's file: group, underscore, plural."""
    return f"{GROUP}_{definition['spec']['names']['plural']}.yaml"


def to_yaml(definition: Mapping[str, Any]) -> str:
    """One definition as a YAML document, keys in the order they were made."""
    text: str = yaml.dump(definition, Dumper=_PlainDumper, sort_keys=False, width=110, allow_unicode=True)
    return text


class _PlainDumper(yaml.SafeDumper):
    """Writes equal nodes out in full: anchors and aliases are no JSON, and Helm's templates stumble on them."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def write(directory: Path) -> list[Path]:
    """Writes all definitions into ``directory``, a file a kind, and removes files of kinds that are no more."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for definition in crds():
        path = directory / file_name(definition)
        path.write_text(HEADER + to_yaml(definition), encoding="utf-8")
        written.append(path)
    for stale in set(directory.glob(f"{GROUP}_*.yaml")) - set(written):
        stale.unlink()
    return written


def together() -> str:
    """All definitions as one text, as ``aim-gpu crds`` prints it."""
    return "---\n".join(to_yaml(definition) for definition in crds())


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the definitions to the directory ``--out`` and, as one text, to the file ``--together``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="directory for the YAML files")
    parser.add_argument("--together", type=Path, help="file for all of them as one text")
    options = parser.parse_args(arguments)
    write(options.out)
    if options.together is not None:
        options.together.write_text(together(), encoding="utf-8")


if __name__ == "__main__":
    main()
