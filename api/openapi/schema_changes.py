"""What of a schema's change can break somebody who wrote objects, or a client, against the old one.

Pure. Judged from the writer's side: whatever the old schema let pass must pass still, mean the same, and keep its
type. A looser limit, another optional field, another text pass. What nobody has taught this module to judge is
reported rather than passed over.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

Schema = Mapping[str, Any]


class Sort(StrEnum):
    """What kind of change it is."""

    REMOVED_KIND = "removed kind"
    REMOVED_VERSION = "removed version"
    REMOVED_SUBRESOURCE = "removed subresource"
    STORAGE_VERSION = "changed storage version"
    IDENTITY = "changed identity"
    REMOVED_FIELD = "removed field"
    RETYPED_FIELD = "retyped field"
    REQUIRED_FIELD = "new required field"
    DEFAULT = "changed default"
    LIMIT = "tightened limit"
    RULE = "new or changed rule"
    MERGE = "changed list or map type"
    KEYWORD = "changed keyword"
    COLUMN = "removed column"
    SCALE = "changed scale path"
    NAME = "removed short name or category"

    @property
    def breaks(self) -> bool:
        """Whether such a change breaks anybody; the rest is information."""
        return self not in {Sort.COLUMN, Sort.SCALE, Sort.NAME}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a change is; ``version`` and ``path`` are empty where the whole kind or version is meant."""

    kind: str
    version: str = ""
    path: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, self.version, self.path) if part)

    def below(self, step: str) -> "Place":
        """The place of a child: a field's name, or ``[]`` for items, ``{}`` for values of a map."""
        joint = "." if self.path and step[0] not in "[{" else ""
        return replace(self, path=f"{self.path}{joint}{step}")


@dataclass(frozen=True, slots=True)
class Change:
    """One change, with what was and what is."""

    place: Place
    sort: Sort
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.place}: {self.sort}: was {self.before}, is {self.after}."


NOTHING: Final = "absent"

_PLAIN_TEXT: Final = frozenset({"description", "title", "example", "externalDocs"})
_LOWER: Final = ("minLength", "minItems", "minProperties")
_UPPER: Final = ("maxLength", "maxItems", "maxProperties")
_LIST_TYPE: Final = "x-kubernetes-list-type"
_LIST_KEYS: Final = "x-kubernetes-list-map-keys"
_MAP_TYPE: Final = "x-kubernetes-map-type"
_RULES: Final = "x-kubernetes-validations"
_UNKNOWN: Final = "x-kubernetes-preserve-unknown-fields"
_EITHER: Final = "x-kubernetes-int-or-string"
_JUDGED: Final = _PLAIN_TEXT | {
    *("type", "format", "properties", "items", "additionalProperties", "required", "default", "enum", "pattern"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "nullable"),
    *(*_LOWER, *_UPPER, _LIST_TYPE, _LIST_KEYS, _MAP_TYPE, _RULES, _UNKNOWN, _EITHER),
}

PATTERN_RULE: Final = re.compile(r"^self\.matches\(r'(.*)'\)$")
"""A CEL rule that only says what ``pattern`` says."""

_GUARD: Final = re.compile(r"!has\(self\.(\w+)\)\s*\|\|\s*")
"""The beginning of a rule that asks nothing of objects without a field."""


def schema_changes(place: Place, old: Schema, new: Schema) -> Iterator[Change]:
    """Every change between two nodes and all below them, parents first."""
    if _type(old) != _type(new):
        # nothing below compares any more
        yield Change(place, Sort.RETYPED_FIELD, _type(old), _type(new))
        return
    for check in (_required, _default, _bounds, _limits, _patterns, _enum, _rules, _merging, _keywords):
        yield from check(place, old, new)
    yield from _children(place, old, new)


def _type(node: Schema) -> str:
    if node.get(_EITHER):
        return "integer or string"
    name = str(node.get("type", "untyped"))
    if name == "object" and "additionalProperties" in node:
        return "map"
    # the formats of an integer are a limit, those of other types another type
    return f"{name} ({node['format']})" if "format" in node and name != "integer" else name


def _children(place: Place, old: Schema, new: Schema) -> Iterator[Change]:
    present = new.get("properties", {})
    for name, child in old.get("properties", {}).items():
        if name in present:
            yield from schema_changes(place.below(name), child, present[name])
        else:
            yield Change(place.below(name), Sort.REMOVED_FIELD, _type(child), NOTHING)
    for key, step in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(old.get(key), Mapping) and isinstance(new.get(key), Mapping):
            yield from schema_changes(place.below(step), old[key], new[key])


def _required(place: Place, old: Schema, new: Schema) -> Iterator[Change]:
    known = old.get("properties", {})
    for name in new.get("required", ()):
        # a default is filled in before anybody looks whether the field is there
        if name not in old.get("required", ()) and "default" not in new.get("properties", {}).get(name, {}):
            before = "optional" if name in known else NOTHING
            yield Change(place.below(name), Sort.REQUIRED_FIELD, before, "required")


def _default(place: Place, old: Schema, new: Schema) -> Iterator[Change]:
    before, after = _shown(old, "default"), _shown(new, "default")
    if before != after:
        yield Change(place, Sort.DEFAULT, before, after)


def _shown(node: Schema, key: str) -> str:
    return f"{key} {node[key]!r}" if key in node else f"no {key}"


def _bounds(place: Place, old: Schema, new: Schema) -> Iterator[Change]:
    """minimum and maximum with their exclusive forms, and what a multiple or a format of integers leaves out."""
    for key, flag, sign in (("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1)):
        if key in new:
            after = (sign * new[key], bool(new.get(flag)))
            before = (sign * old[key], bool(old.get(flag))) if key in old else None
            if before is None or after > before:
                yield Change(place, Sort.LIMIT, _bound(old, key, flag), _bound(new, key, flag))
    if "multipleOf" in new and ("multipleOf" not in old or old["multipleOf"] % new["multipleOf"]):
        yield Change(place, Sort.LIMIT, _shown(old, "multipleOf"), _shown(new, "multipleOf"))
    if new.get("type") == "integer" and new.get("format") == "int32" != old.get("format"):
        yield Change(place, Sort.LIMIT, _shown(old, "format"), _shown(new, "format"))


def _bound(node: Schema, key: str, flag: str) -> str:
    return _shown(node, key) + (", exclusive" if node.get(flag) else "")


def _limits(place: Place, old: Schema, new: Schema) -> Iterator[Change]:
    for key in _LOWER:
        if new.get(key, 0) > old.get(key, 0):
            yield Change(place, Sort.LIMIT, _shown(old, key), _shown(new, key))
    for key in _UPPER:
        if key in new and (key not in old or new[key] < old[key]):
            yield Change(place, Sort.LIMIT, _shown(old, key), _shown(new, key))
    for key, gone in (("nullable", "null is refused"), (_UNKNOWN, "unknown fields are dropped")):
        if old.get(key) and not new.get(key):
            yield Change(place, Sort.LIMIT, f"{key} true", gone)


def _patterns(place: Place, old: Schema, new: Schema) -> Iterator[Change]:
    before = _pattern_set(old)
    for added in sorted(_pattern_set(new) - before):
        yield Change(place, Sort.LIMIT, f"pattern {', '.join(sorted(before)) or NOTHING}", f"pattern {added}")


def _pattern_set(node: Schema) -> set[str]:
    """The patterns of a node, however they are said."""
    by_rule = {match[1] for rule in node.get(_RULES, ()) if (match := PATTERN_RULE.match(rule["rule"]))}
    return by_rule | ({node["pattern"]} if "pattern" in node else set())


def _enum(place: Place, old: Schema, new: Schema) -> Iterator[Change]:
    if "enum" in new and ("enum" not in old or set(old["enum"]) - set(new["enum"])):
        yield Change(place, Sort.LIMIT, _shown(old, "enum"), _shown(new, "enum"))


def _rules(place: Place, old: Schema, new: Schema) -> Iterator[Change]:
    before, after = _cel(old), _cel(new)
    gone = [rule for rule in before if rule["rule"] not in {other["rule"] for other in after}]
    known = {_judgement(rule) for rule in before}
    for rule in after:
        if _judgement(rule) not in known and not _asks_only_new_fields(rule["rule"], old, new):
            earlier = [other["rule"] for other in gone if other.get("message") == rule.get("message")]
            yield Change(place, Sort.RULE, f"rule {earlier[0]}" if earlier else "no such rule", f"rule {rule['rule']}")


def _cel(node: Schema) -> Sequence[Schema]:
    return [rule for rule in node.get(_RULES, ()) if not PATTERN_RULE.match(rule["rule"])]


def _judgement(rule: Schema) -> tuple[str, bool]:
    """What decides whether a rule refuses: its text, and whether it holds at creation too."""
    return rule["rule"], bool(rule.get("optionalOldSelf"))


def _asks_only_new_fields(rule: str, old: Schema, new: Schema) -> bool:
    """Whether ``rule`` is true of any object without the fields that ``new`` adds: ``!has(self.added) || ...``."""
    if "?" in rule or old.get(_UNKNOWN):
        return False  # a conditional binds weaker than ||; and an old object may carry any field
    rest = rule
    while guard := _GUARD.match(rest):
        added = new.get("properties", {}).get(guard[1])
        if added is not None and guard[1] not in old.get("properties", {}) and "default" not in added:
            return True
        rest = rest[guard.end() :]
    return False


def _merging(place: Place, old: Schema, new: Schema) -> Iterator[Change]:
    for key, default in ((_LIST_TYPE, "atomic"), (_LIST_KEYS, []), (_MAP_TYPE, "granular")):
        before, after = old.get(key, default), new.get(key, default)
        if before != after:
            yield Change(place, Sort.MERGE, f"{key} {before}", f"{key} {after}")


def _keywords(place: Place, old: Schema, new: Schema) -> Iterator[Change]:
    for key in sorted((old.keys() | new.keys()) - _JUDGED):
        if old.get(key) != new.get(key):
            yield Change(place, Sort.KEYWORD, _shown(old, key), _shown(new, key))
