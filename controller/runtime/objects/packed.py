"""All of an object, small: the metadata decoded, each other part kept as the JSON it came in.

10,000 pods take a fifth of their memory as dicts, and nothing but managedFields is lost. For caches whose readers look
at names and labels often, and at the rest of few objects.
"""

from typing import Any

from msgspec import Raw, json, structs

from controller.runtime.objects.metadata import KubeObject

_ABSENT = Raw()


class PackedObject(KubeObject, frozen=True, kw_only=True):
    """Any kind that has a spec and a status; for other parts add a field of type Raw for each.

    `unpacked` is equal to the object as a dict, with two exceptions: managedFields are gone, and so is what in the
    metadata says no more than its absence would (null, an empty list, false of an owner's flags).

    >>> class PackedConfigMap(PackedObject, frozen=True, kw_only=True):
    ...     data: Raw = Raw()
    >>> wire = b'{"kind":"ConfigMap","metadata":{"name":"a","managedFields":[{}]},"data":{"k":"v"}}'
    >>> found = json.decode(wire, type=PackedConfigMap)
    >>> found.metadata.name, found.part("data"), found.part("spec")
    ('a', {'k': 'v'}, None)
    >>> found.unpacked()
    {'kind': 'ConfigMap', 'metadata': {'name': 'a'}, 'data': {'k': 'v'}}
    """

    spec: Raw = _ABSENT
    status: Raw = _ABSENT

    def __post_init__(self) -> None:
        """Let go of the answer: a Raw is a window into all of it, managedFields and the other objects included."""
        for name in self.__struct_fields__:
            part = getattr(self, name)
            if type(part) is Raw and part:
                structs.force_setattr(self, name, part.copy())

    def part(self, name: str) -> Any:
        """The part as JSON has it, decoded anew each time (the caller's own); None when absent.

        `name` is the field's. Raises KeyError when there is no such part.
        """
        part = getattr(self, name, None)
        if type(part) is not Raw:
            raise KeyError(f"{name!r}: no packed part of {type(self).__name__}")
        return json.decode(part) if part else None

    def unpacked(self) -> dict[str, Any]:
        """The whole object as a dict; the caller's own."""
        whole: dict[str, Any] = {"apiVersion": self.api_version, "kind": self.kind}
        whole = {name: text for name, text in whole.items() if text}
        whole["metadata"] = json.decode(json.encode(self.metadata))
        for field in structs.fields(self):
            part = getattr(self, field.name)
            if type(part) is Raw and part:
                whole[field.encode_name] = json.decode(part)
        return whole
