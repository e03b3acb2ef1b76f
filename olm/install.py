"""How OLM runs the operator: its Deployment with OLM's certificates, and its rights."""

from copy import deepcopy
from typing import Any, Final

from olm.sources import OPERATOR, Object, named, of_kind

CERTIFICATES: Final = "/apiserver.local.config/certificates"
"""Where OLM mounts apiserver.crt and apiserver.key."""


_PUBLISHING: Final = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations", "secrets")
"""What the operator touches only where it makes certificates itself, or tells the API server of them."""


def _rules(objects: list[Object], kind: str) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = []
    for binding in of_kind(objects, f"{kind}Binding"):
        if any(subject["name"] == OPERATOR for subject in binding["subjects"]):
            role = binding["roleRef"]
            if any(r["kind"] == role["kind"] and r["metadata"]["name"] == role["name"] for r in objects):
                rules += named(objects, role["kind"], role["name"])["rules"]
    return [_narrowed(rule) for rule in rules if not set(rule["resources"]) <= set(_PUBLISHING)]


def _narrowed(rule: dict[str, Any]) -> dict[str, Any]:
    """Definitions are read, for the migration of what is stored; OLM itself writes them."""
    return {**rule, "verbs": ["get"]} if rule["resources"] == ["customresourcedefinitions"] else rule


def _spec(objects: list[Object]) -> dict[str, Any]:
    spec: dict[str, Any] = deepcopy(named(objects, "Deployment", OPERATOR)["spec"])
    container = spec["template"]["spec"]["containers"][0]
    container["args"] = [
        *(each for each in container["args"] if not each.startswith("--certificates")),
        "--certificates=olm",
        f"--certificate-dir={CERTIFICATES}",
    ]
    return spec


def install(objects: list[Object]) -> dict[str, Any]:
    """The strategy of the ClusterServiceVersion."""
    return {
        "strategy": "deployment",
        "spec": {
            "deployments": [{"name": OPERATOR, "spec": _spec(objects)}],
            "clusterPermissions": [{"serviceAccountName": OPERATOR, "rules": _rules(objects, "ClusterRole")}],
            "permissions": [{"serviceAccountName": OPERATOR, "rules": _rules(objects, "Role")}],
        },
    }
