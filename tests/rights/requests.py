"""What our ServiceAccounts asked an API server for, by its audit log."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

_CREATED: Final = 201
_REFUSED: Final = (401, 403)


@dataclass(frozen=True, slots=True, order=True)
class Request:
    """One request as RBAC sees it. `resource` is with its subresource; `namespace` and `name` may be empty."""

    account: str
    verb: str
    group: str
    resource: str
    namespace: str
    name: str


def requests(entry: Mapping[str, Any], namespace: str) -> Iterator[Request]:
    """Those of an audit entry; none where no account of `namespace` sent it, or it was refused, or names no resource.

    A patch that made an object was asked about twice, since that takes the right to create it as well.
    """
    prefix = f"system:serviceaccount:{namespace}:"
    user, reference = entry["user"]["username"], entry.get("objectRef", {})
    code = entry.get("responseStatus", {}).get("code")
    if not user.startswith(prefix) or "impersonatedUser" in entry or "resource" not in reference:
        return
    if code is None or code in _REFUSED:
        return
    subresource = reference.get("subresource")
    found = Request(
        account=user.removeprefix(prefix),
        verb=entry["verb"],
        group=reference.get("apiGroup", ""),
        resource=reference["resource"] + (f"/{subresource}" if subresource else ""),
        namespace=reference.get("namespace", ""),
        name=reference.get("name", ""),
    )
    yield found
    if found.verb == "patch" and code == _CREATED:
        yield replace(found, verb="create")
