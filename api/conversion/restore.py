"""From the stash back into the hub's spec.

Whoever edits an object edits its annotations, too. So the stash is believed only where it can be checked: an item's
place must be one that flat fields cannot say whole, its value must keep the hub's own rules, and what flat fields show
must be the same with it as without. What policies look at has a flat field, and so can never come from here.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from api.conversion.kind_mapping import KindMapping
from api.conversion.nested import ABSENT, at, dotted, put
from api.conversion.stash import Item, excerpt
from api.object import dump
from api.v1beta1 import GPUSharingPolicy, InferenceService
from api.validation import problems


def restored(
    mapping: KindMapping, hub_object: Mapping[str, Any], flat: Mapping[str, Any], items: Sequence[Item]
) -> dict[str, Any]:
    """The hub's spec: that of ``hub_object``, which is what ``flat`` alone means, with the stash's items in it.

    An item is left out, or merged if its row can, where the flat fields give something else now than they did when
    the stash was written: the user's edit wins.

    Raises:
        ConversionError: an item is not what this conversion would have written; the text names it.
    """
    given = hub_object["spec"]
    spec = deepcopy(given)
    for item in items:
        _check_place(mapping, item)
        put(spec, item.path, _settled(mapping, item, at(given, item.path)))
    filled: dict[str, Any] = mapping.hub_schema.defaulted(spec)
    _check_rules(mapping, hub_object, filled, items)
    _check_shown(mapping, flat, filled, items)
    return filled


def _check_place(mapping: KindMapping, item: Item) -> None:
    node = mapping.hub_schema.below(item.path)
    if node is None:
        raise item.problem("stands for no field of v1beta1")
    for row in mapping.rows:
        if row.path == item.path and row.exact:
            raise item.problem(f"stands for what spec.{row.field} says", f"remove the item and set spec.{row.field}")
    if node.properties and item.held != {}:
        raise item.problem("stands for a whole object, not for one field of it")


def _settled(mapping: KindMapping, item: Item, given: Any) -> Any:
    """What becomes of one place, which the flat fields alone would make ``given``."""
    if given == item.shown:
        return item.held
    merge = next((row.merge for row in mapping.rows if row.path == item.path and row.merge is not None), None)
    if merge is None:
        return given
    if not isinstance(item.held, list):
        raise item.problem("is no list")
    return merge(item.held, given)


def _check_rules(
    mapping: KindMapping, hub_object: Mapping[str, Any], spec: dict[str, Any], items: Sequence[Item]
) -> None:
    """Refuses what breaks a rule of the hub that the flat fields alone do not break."""
    found = _broken(mapping, hub_object, spec, items)
    if found:
        before = _broken(mapping, hub_object, hub_object["spec"], ())
        for path, message in found:
            if (path, message) not in before:
                raise _blamed(items, path).problem(f"breaks a rule of v1beta1 ({path}: {message})")


def _broken(
    mapping: KindMapping, hub_object: Mapping[str, Any], spec: dict[str, Any], items: Sequence[Item]
) -> list[tuple[str, str]]:
    """(path, message) of every rule of the hub that the spec breaks; items have to be read as they stand, too."""
    metadata = {
        name: text for name in ("name", "namespace") if isinstance(text := at(hub_object, ("metadata", name)), str)
    }
    try:
        read = mapping.hub.model_validate({"metadata": metadata, "spec": spec})
    except ValidationError as error:
        wrongs = error.errors(include_url=False, include_context=False, include_input=False)
        return [(_path(wrong["loc"]), wrong["msg"]) for wrong in wrongs]
    written = dump(read)["spec"]
    unread = [item for item in items if not _said(at(spec, item.path), at(written, item.path))]
    broken = problems(read) if isinstance(read, InferenceService | GPUSharingPolicy) else []
    return [
        *(
            (f"spec.{item.place}", "it has a field that v1beta1 does not know, or one of another type")
            for item in unread
        ),
        *((problem.path, problem.message) for problem in broken),
    ]


def _said(part: Any, whole: Any) -> bool:
    """Whether ``whole`` says all that ``part`` says."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and _said(value, whole[name]) for name, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) == len(whole) and all(map(_said, part, whole))
    return bool(part == whole)


def _check_shown(mapping: KindMapping, flat: Mapping[str, Any], spec: dict[str, Any], items: Sequence[Item]) -> None:
    """Refuses a stash that makes a flat field say something else than it does."""
    shown = mapping.flat(spec)
    for row in mapping.rows:
        if shown.get(row.field, ABSENT) != flat.get(row.field, ABSENT):
            item = _blamed(items, f"spec.{dotted(row.path)}")
            raise item.problem(f"contradicts spec.{row.field}, which says {excerpt(flat.get(row.field))}")


def _blamed(items: Sequence[Item], path: str) -> Item:
    """The item at, above or below ``path``; the first one when the path is that of none."""
    for item in items:
        place = f"spec.{item.place}"
        if path.startswith(place) or place.startswith(path):
            return item
    return items[0]


def _path(location: Sequence[int | str]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
