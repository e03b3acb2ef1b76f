"""What every object carries: metadata, owners, conditions; and the empty values that absent fields share.

Names are Go's in snake case; timestamps stay the strings of the wire (RFC 3339). A text that is absent is "" and a
collection that is absent is empty, as in Go; None is kept for what Kubernetes itself tells apart from empty.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import force_setattr

T = TypeVar("T")

if TYPE_CHECKING:
    OrNull: TypeAlias = tuple[T, ...]
else:
    OrNull = tuple[T, ...] | None
"""A slice that Go writes as null when it is nil: decoding takes the null, `null_is_empty` makes it empty."""

EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})
"""The map that all objects share where the wire has none."""

_INITIALISMS: Final = {"id": "ID", "ip": "IP", "ips": "IPs"}


def null_is_empty(struct: Struct, *fields: str) -> None:
    """Replace None by () in fields of type OrNull: to be called by `__post_init__`."""
    for name in fields:
        if getattr(struct, name) is None:
            force_setattr(struct, name, ())


def wire_name(name: str) -> str:
    """The wire's name of a field: camel case, with Go's initialisms (`pod_ips` is podIPs, `provider_id` providerID)."""
    first, *rest = name.split("_")
    return first + "".join(_INITIALISMS.get(word, word.capitalize()) for word in rest)


class ApiStruct(Struct, frozen=True, kw_only=True, rename=wire_name, omit_defaults=True, gc=False):
    """The base of everything in this room. Not tracked by the garbage collector: decoded data has no cycles.

    A subclass states `frozen=True, kw_only=True` again: the one for type checkers, the other is not inherited.
    """


class OwnerReference(ApiStruct, frozen=True, kw_only=True):
    """Who owns the object; `controller` marks the one that manages it."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False
    block_owner_deletion: bool = False


class ObjectMeta(ApiStruct, frozen=True, kw_only=True):
    """Identity, version and lifecycle. `deletion_timestamp` None: not being deleted."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: Mapping[str, str] = EMPTY
    annotations: Mapping[str, str] = EMPTY
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()


class Condition(ApiStruct, frozen=True, kw_only=True):
    """One observation of an object's state; `status` is "True", "False" or "Unknown"."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    observed_generation: int = 0
    last_transition_time: str | None = None


class KubeObject(ApiStruct, frozen=True, kw_only=True):
    """What all kinds have. A kind's own struct gives `api_version` and `kind` their defaults: list items lack them."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta


class PartialObject(KubeObject, frozen=True, kw_only=True):
    """Any object, seen by its metadata only: a bookmark of a watch, say, or one whose rest nobody reads."""
