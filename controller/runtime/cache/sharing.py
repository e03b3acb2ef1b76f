"""One copy of texts that objects have in common: namespaces, nodes, images, phases, label values.

Decoders share the keys of dicts and nothing else: each value is a string of its own, 50 bytes and more for "True".
Sharing took 10,000 pods from 316 to 219 MB as dicts (40 us each) and from 64 to 32 MB as Structs (14 us each).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, get_args, get_origin

from msgspec import Struct
from msgspec.structs import fields, force_setattr

from controller.runtime.manifest import AnyObject
from controller.runtime.objects.metadata import ObjectMeta

_LONGEST: Final = 64
"""Longer texts are digests and messages: each is its object's own."""
_TABLE_TEXTS: Final = 50_000
"""The table starts over at this size, some 8 MB: what is repeated is soon in it again, what was seen once is gone."""
_OWN_FIELDS: Final = frozenset({"name", "generate_name", "uid", "resource_version", "annotations"})
"""What each object's metadata has for itself: a table of these would only cost."""

_Share = Callable[[Any], None]
_by_type: dict[type[Struct], _Share] = {}
# Not the interpreter's own table (sys.intern): Python 3.12 never forgets what is in that, and versions never repeat.
_texts: dict[str, str] = {}


def share_strings(obj: AnyObject) -> None:
    """Let `obj`, fresh from the wire, refer to texts that other objects hold already; it stays equal to itself."""
    if len(_texts) > _TABLE_TEXTS:
        _texts.clear()
    if isinstance(obj, dict):
        _share_dict(obj)
    else:
        _sharing_of(type(obj))(obj)


def _share_dict(part: dict[str, Any]) -> None:
    for name, value in part.items():
        kind = type(value)
        if kind is str:
            if len(value) <= _LONGEST:
                part[name] = _texts.setdefault(value, value)
        elif kind is dict:
            _share_dict(value)
        elif kind is list:
            _share_list(value)


def _share_list(part: list[Any]) -> None:
    for position, value in enumerate(part):
        kind = type(value)
        if kind is dict:
            _share_dict(value)
        elif kind is str:
            if len(value) <= _LONGEST:
                part[position] = _texts.setdefault(value, value)
        elif kind is list:
            _share_list(value)


def _sharing_of(struct: type[Struct]) -> _Share:
    """The sharing of one type of Struct, made once: which of its fields are texts, maps of texts, or Structs."""
    known = _by_type.get(struct)
    if known is not None:
        return known
    texts: list[str] = []
    maps: list[str] = []
    parts: list[tuple[str, _Share]] = []
    # Entered before its fields are looked at: a type may hold itself.
    _by_type[struct] = sharing = _sharing(texts, maps, parts)
    for field in fields(struct):
        if struct is ObjectMeta and field.name in _OWN_FIELDS:
            continue
        found = _types_in(field.type)
        if Mapping in found:
            maps.append(field.name)
        elif structs := [one for one in found if isinstance(one, type) and issubclass(one, Struct)]:
            parts.append((field.name, _sharing_of(structs[0])))
        elif str in found and tuple not in found:
            texts.append(field.name)
    return sharing


def _sharing(texts: list[str], maps: list[str], parts: list[tuple[str, _Share]]) -> _Share:
    def share(struct: Struct) -> None:
        for name in texts:
            text = getattr(struct, name)
            if text and len(text) <= _LONGEST:
                force_setattr(struct, name, _texts.setdefault(text, text))
        for name in maps:
            table = getattr(struct, name)
            if type(table) is dict:
                _share_dict(table)
        for name, share_part in parts:
            part = getattr(struct, name)
            if type(part) is tuple:
                for one in part:
                    share_part(one)
            elif part is not None:
                share_part(part)

    return share


def _types_in(annotation: Any) -> set[Any]:
    """`annotation`, its origin, and what it is made of: `tuple[X, ...] | None` has X, tuple and NoneType in it."""
    found = {get_origin(annotation) or annotation}
    for argument in get_args(annotation):
        found |= _types_in(argument)
    return found
