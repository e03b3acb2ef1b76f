"""Every generated file, by its path below `olm/`."""

from copy import deepcopy
from typing import Any, Final

import yaml

from olm.catalogue import Bundle, catalogue, template
from olm.guard import guard
from olm.packaging import ANNOTATIONS, catalogue_policy, dockerfile, scorecard
from olm.released import released
from olm.service_version import service_version
from olm.sources import OPERATOR, PACKAGE, Object, manifest, named, of_kind

_SHIPPED: Final = (
    ("ClusterRole", "aim-gpu-view"),
    ("ClusterRole", "aim-gpu-edit"),
    ("ClusterRole", "aim-gpu-nodes-view"),
    ("ClusterRole", "aim-gpu-metrics-reader"),
    ("PodDisruptionBudget", OPERATOR),
    ("Service", "aim-gpu-operator-metrics"),
)
"""Objects that the bundle holds as they are."""
_MADE_BY_OLM: Final = (
    "Deployment",
    "ServiceAccount",
    "Service",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
)
"""Kinds whose operator's own object OLM makes from the ClusterServiceVersion."""
_DESCRIBED: Final = ("CustomResourceDefinition", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def bundle() -> Bundle:
    """The bundle of the version that is being worked on."""
    objects = manifest()
    shipped = [deepcopy(named(objects, kind, name)) for kind, name in _SHIPPED]
    for each in shipped:
        each["metadata"].pop("namespace", None)  # OLM puts it where the operator is
    return Bundle(service_version(objects), of_kind(objects, "CustomResourceDefinition"), shipped)


def beside() -> list[Object]:
    """What neither the bundle holds nor OLM makes: a person applies it first."""
    objects = manifest()
    made = {(kind, name) for kind in _MADE_BY_OLM for name in (OPERATOR, f"{OPERATOR}-kserve")} | set(_SHIPPED)
    left = [each for each in objects if _identity(each) not in made and each["kind"] not in _DESCRIBED]
    return left + guard(objects)


def files() -> dict[str, str]:
    """The text of each, by its path."""
    made = bundle()
    bundles = [*released(), made]
    found = {
        f"bundle/manifests/{PACKAGE}.clusterserviceversion.yaml": _yaml(made.service_version),
        "bundle/metadata/annotations.yaml": _yaml({"annotations": ANNOTATIONS}),
        "bundle/tests/scorecard/config.yaml": _yaml(scorecard()),
        "bundle.Dockerfile": dockerfile(),
        "catalog-templates/basic.yaml": _yaml(*template(bundles)),
        f"catalog/{PACKAGE}/catalog.yaml": _yaml(*catalogue(bundles)),
        "ci.yaml": _yaml(catalogue_policy()),
        "cluster-objects.yaml": _yaml(*beside()),
    }
    for crd in made.crds:
        found[f"bundle/manifests/{crd['metadata']['name']}.crd.yaml"] = _yaml(crd)
    for each in made.others:
        kind, name = _identity(each)
        found[f"bundle/manifests/{name}.{kind.lower()}.yaml"] = _yaml(each)
    return found


def _yaml(*objects: Any) -> str:
    return str(yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, width=110))


class _Dumper(yaml.SafeDumper):
    """Long texts stay readable, and nothing becomes an anchor."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the shape is PyYAML's
        """Always: people read it without them."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _identity(found: Object) -> tuple[str, str]:
    return found["kind"], found["metadata"]["name"]
