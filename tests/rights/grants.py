"""What the chart lets our ServiceAccounts do, one verb on one resource at a time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.rights.requests import Request

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """An account may do `verb` to `resource`: everywhere, or in `namespace`; to all of it, or to the one of `name`."""

    account: str
    namespace: str
    group: str
    resource: str
    name: str
    verb: str

    def __str__(self) -> str:
        """As the table of uses writes it, without the account: `verb resource.group/name in namespace`."""
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        named = f" {self.name}" if self.name else ""
        return f"{self.verb} {kind}{named}" + (f" in {self.namespace}" if self.namespace else "")

    def allows(self, request: Request) -> bool:
        """Whether the request needs no more than this, as RBAC judges."""
        return (
            (self.account, self.group, self.resource, self.verb)
            == (request.account, request.group, request.resource, request.verb)
            and self.namespace in ("", request.namespace)
            and self.name in ("", request.name)
        )


def grants(objects: Iterable[Object]) -> set[Grant]:
    """All of roles that are bound to a ServiceAccount; rules of URLs that are no resources are left out."""
    found = list(objects)
    roles = {_key(one): one["rules"] for one in found if one["kind"] in ("ClusterRole", "Role")}
    return {
        grant
        for binding in found
        if binding["kind"] in ("ClusterRoleBinding", "RoleBinding")
        for rule in roles[_bound(binding)]
        for subject in binding["subjects"]
        if subject["kind"] == "ServiceAccount"
        for grant in _of_rule(subject["name"], binding["metadata"].get("namespace", ""), rule)
    }


def unused(granted: Iterable[Grant], requests: Iterable[Request]) -> set[Grant]:
    """Those without which no request would have been refused: none needed it, or another grant allows it as well."""
    asked, all_granted = set(requests), set(granted)
    sole = set()
    for one in asked:
        allowing = [grant for grant in all_granted if grant.allows(one)]
        if len(allowing) == 1:
            sole.add(allowing[0])
    return all_granted - sole


def _of_rule(account: str, namespace: str, rule: Object) -> Iterator[Grant]:
    for group in rule.get("apiGroups", ()):
        for resource in rule["resources"]:
            for name in rule.get("resourceNames") or [""]:
                for verb in rule["verbs"]:
                    yield Grant(account, namespace, group, resource, name, verb)


def _key(role: Object) -> tuple[str, str, str]:
    metadata = role["metadata"]
    return role["kind"], metadata.get("namespace", ""), metadata["name"]


def _bound(binding: Object) -> tuple[str, str, str]:
    """The role of a binding, as `_key` has it."""
    role = binding["roleRef"]
    namespace = binding["metadata"].get("namespace", "") if role["kind"] == "Role" else ""
    return role["kind"], namespace, role["name"]
