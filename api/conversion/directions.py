"""An object's way to the flat version, and back to the hub."""

from collections.abc import Mapping
from typing import Any

from api.conversion import stash
from api.conversion.errors import ConversionError
from api.conversion.kind_mapping import KindMapping
from api.conversion.restore import restored
from api.group import GROUP, V1ALPHA1, V1BETA1


def to_spoke(mapping: KindMapping, hub_object: Mapping[str, Any]) -> dict[str, Any]:
    """The object in the flat version; what that cannot say is in its stash annotation.

    Never looks at rules: an object that older, wider rules let in can still be read.

    Raises:
        ConversionError: the spec is no object.
    """
    spec = mapping.hub_schema.defaulted(_spec_of(hub_object))
    flat = mapping.flat(spec)
    items = stash.differences(mapping.hub_schema, spec, mapping.nested(flat))
    # A stash is written here alone: an annotation of that name on a hub object is nobody's word.
    converted, _ = stash.detached({**hub_object, "apiVersion": f"{GROUP}/{V1ALPHA1}", "spec": flat})
    return stash.attached(converted, items)


def to_hub(mapping: KindMapping, spoke_object: Mapping[str, Any]) -> dict[str, Any]:
    """The object in the hub version, with what its stash annotation kept, and without that annotation.

    Raises:
        ConversionError: a value has no meaning in the hub, or the stash is not what this conversion wrote.
    """
    flat = mapping.spoke_schema.defaulted(_spec_of(spoke_object))
    spec = mapping.nested(flat)
    converted, text = stash.detached({**spoke_object, "apiVersion": f"{GROUP}/{V1BETA1}", "spec": spec})
    return converted if text is None else converted | {"spec": restored(mapping, converted, flat, stash.parsed(text))}


def _spec_of(obj: Mapping[str, Any]) -> dict[str, Any]:
    spec = obj.get("spec")
    if spec is None:
        return {}
    if not isinstance(spec, dict):
        raise ConversionError(f"spec {spec!r:.100} is no object: write the fields of the spec")
    return spec
