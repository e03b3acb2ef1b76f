"""Whether server-side apply would change anything, decided on the live object as a cache holds it. Pure.

One-sided on purpose: "no" is certain as of the cache, "yes" may be wrong and then costs a request by which the server
changes nothing. A live object with managedFields tells exactly what a manager owns; one without (informers drop them
unless told otherwise) shows only whether each desired field is there.

Fields that the server defaulted, or that others own, are not desired and so not compared, inside list elements too.
The schema is not known here, so these look different each time:

- values that the server rewrites: a quantity that is not in its canonical form ("1000m" comes back as "1"), a time
  or a duration in another spelling, an empty map or list that it drops. Desire what comes back;
- without managedFields, a list to which somebody else added an element or that the server keeps in another order.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from controller.runtime.manifest import Manifest

# What identifies or versions an object is nobody's field.
_NOT_OWNED = frozenset({"apiVersion", "kind"})
_NOT_OWNED_IN_METADATA = frozenset(
    {"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "managedFields"}
)

_Fields = Mapping[str, Any]


def would_change(desired: Manifest, live: Manifest, field_manager: str, subresource: str = "") -> bool:
    """Whether applying `desired` as `field_manager` would change `live`: a value, or what the manager owns.

    Without managedFields in `live`, a field that the manager owns and does not desire any more goes unseen.
    """
    wanted = _owned_part(desired)
    if not live.get("metadata", {}).get("managedFields"):
        return not _covers(wanted, live)
    owned = _owned_fields(live, field_manager, subresource, desired.get("apiVersion") or live.get("apiVersion"))
    return owned is None or not _same_map(wanted, live, owned)


def _owned_part(desired: Manifest) -> Manifest:
    """`desired` without what no manager owns."""
    metadata = {name: value for name, value in desired["metadata"].items() if name not in _NOT_OWNED_IN_METADATA}
    rest = {name: value for name, value in desired.items() if name not in _NOT_OWNED and name != "metadata"}
    return rest | {"metadata": metadata} if metadata else rest


def _owned_fields(live: Manifest, manager: str, subresource: str, api_version: str | None) -> _Fields | None:
    """The manager's fields in FieldsV1 form; None when it never applied, or applied another version of the kind."""
    for entry in live["metadata"]["managedFields"]:
        named = (entry.get("manager"), entry.get("operation"), entry.get("subresource") or "", entry.get("apiVersion"))
        if named == (manager, "Apply", subresource, api_version):
            fields: _Fields = entry.get("fieldsV1") or {}
            return fields
    return None


def _covers(wanted: Any, live: Any) -> bool:
    """Whether everything in `wanted` is in `live` with the same value; None means absent."""
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(_covers(value, live.get(name)) for name, value in wanted.items())
    if isinstance(wanted, list):
        same_length = isinstance(live, list) and len(live) == len(wanted)
        return same_length and all(map(_covers, wanted, live))
    return bool(wanted == live) and isinstance(wanted, bool) == isinstance(live, bool)


def _same(wanted: Any, live: Any, owned: _Fields) -> bool:
    kinds = {name[:2] for name in owned if name != "."}
    if not kinds:  # a scalar, or a map or list that is owned as a whole
        return _covers(wanted, live)
    if kinds == {"f:"}:
        return _same_map(wanted, live, owned)
    if not isinstance(wanted, list) or not isinstance(live, list):
        return False
    if kinds == {"k:"}:
        return _same_elements(wanted, live, owned)
    return kinds == {"v:"} and _same_set(wanted, live, owned)


def _same_map(wanted: Any, live: Any, owned: _Fields) -> bool:
    if not isinstance(wanted, Mapping) or not isinstance(live, Mapping):
        return False
    names = {name.removeprefix("f:") for name in owned if name != "."}
    if names != {name for name, value in wanted.items() if value is not None}:
        return False
    return all(name in live and _same(wanted[name], live[name], owned[f"f:{name}"]) for name in names)


def _same_elements(wanted: list[Any], live: list[Any], owned: _Fields) -> bool:
    """Lists of maps that have keys ("k:{...}"): each desired element is one that is owned, in the same order."""
    keys = {name: orjson.loads(name.removeprefix("k:")) for name in owned if name != "."}
    if len(keys) != len(wanted):
        return False
    places: list[int] = []
    for element in wanted:
        found = [name for name, key in keys.items() if _may_have(element, key)]
        if len(found) != 1:
            return False
        key = keys.pop(found[0])
        place = next((at for at, other in enumerate(live) if _has(other, key)), None)
        if place is None or not _same(element, live[place], owned[found[0]]):
            return False
        places.append(place)
    return places == sorted(places)


def _same_set(wanted: list[Any], live: Sequence[Any], owned: _Fields) -> bool:
    """Lists that are sets of scalars ("v:...")."""
    values = [orjson.loads(name.removeprefix("v:")) for name in owned if name != "."]
    return sorted(values, key=str) == sorted(wanted, key=str) and all(value in live for value in wanted)


def _may_have(element: Any, key: Mapping[str, Any]) -> bool:
    # A key's field that a desired element leaves out was defaulted (a port's protocol).
    return isinstance(element, Mapping) and all(element.get(field, value) == value for field, value in key.items())


def _has(element: Any, key: Mapping[str, Any]) -> bool:
    return isinstance(element, Mapping) and all(element.get(field) == value for field, value in key.items())
