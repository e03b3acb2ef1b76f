"""ServiceAccounts that may do just what a list of grants says, for what happens where one of them is missing."""

from collections.abc import Iterable, Iterator
from typing import Any

from e2e.run.install import SYSTEM_NAMESPACE
from tests.rights.grants import Grant

Object = dict[str, Any]
_RBAC = "rbac.authorization.k8s.io"


def rules(found: Iterable[Grant]) -> list[Object]:
    """A rule for each."""
    return [
        {"apiGroups": [one.group], "resources": [one.resource], "verbs": [one.verb]}
        | ({"resourceNames": [one.name]} if one.name else {})
        for one in found
    ]


def allowed(name: str, found: Iterable[Grant]) -> Iterator[Object]:
    """The ServiceAccount `name` of our namespace, and its roles: one for everywhere, one for each namespace."""
    by_namespace: dict[str, list[Grant]] = {}
    for one in found:
        by_namespace.setdefault(one.namespace, []).append(one)
    yield _object("v1", "ServiceAccount", name, SYSTEM_NAMESPACE)
    subjects = [{"kind": "ServiceAccount", "name": name, "namespace": SYSTEM_NAMESPACE}]
    for namespace, those in by_namespace.items():
        kind = "Role" if namespace else "ClusterRole"
        yield _object(f"{_RBAC}/v1", kind, name, namespace) | {"rules": rules(those)}
        role = {"apiGroup": _RBAC, "kind": kind, "name": name}
        yield _object(f"{_RBAC}/v1", f"{kind}Binding", name, namespace) | {"roleRef": role, "subjects": subjects}


def _object(version: str, kind: str, name: str, namespace: str) -> Object:
    where = {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **where}}
