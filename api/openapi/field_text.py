"""What a reference says of one schema node: its type, its default, its limits, in words."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from api.openapi.schema_changes import PATTERN_RULE

Schema = Mapping[str, Any]

RULES: Final = "x-kubernetes-validations"
_UNKNOWN: Final = "x-kubernetes-preserve-unknown-fields"
_LONGEST_DEFAULT: Final = 40
"""Characters of a default that a table's cell takes."""

_COUNTED: Final = {
    "Length": ("character", "characters"),
    "Items": ("item", "items"),
    "Properties": ("entry", "entries"),
}


def code(text: str) -> str:
    """``text`` in the type of code; safe in a table's cell."""
    return f"`{text}`".replace("|", "\\|")


def prose(text: str) -> str:
    """A docstring or description as Markdown: one line, code in single back quotes, safe in a table's cell."""
    return " ".join(text.replace("``", "`").split()).replace("|", "\\|").replace("<", "&lt;")


def pattern(node: Schema) -> str | None:
    """The pattern of a text, however the schema says it."""
    by_rule = (match[1] for rule in node.get(RULES, ()) if (match := PATTERN_RULE.match(rule["rule"])))
    return node.get("pattern") or next(by_rule, None)


def messages(node: Schema) -> list[tuple[str, str]]:
    """The rules of a node in words, each with the path below the node that it is about; without those of patterns."""
    return [
        (rule.get("fieldPath", ""), rule["message"])
        for rule in node.get(RULES, ())
        if not PATTERN_RULE.match(rule["rule"])
    ]


def type_text(node: Schema, names: Mapping[str, str]) -> str:
    """The type as Markdown; ``names`` gives what to call the texts of a pattern."""
    if node.get("x-kubernetes-int-or-string"):
        return "integer or string"
    match node["type"]:
        case "array":
            return f"list of {plural(type_text(node['items'], names))}"
        case "object" if "additionalProperties" in node:
            return f"map of {plural(type_text(node['additionalProperties'], names))}"
        case "object" if node.get(_UNKNOWN):
            return "any object"
        case "string" if node.get("format") == "date-time":
            return "time"
        case "string":
            return names.get(pattern(node) or "", "string")
    return str(node["type"])


def plural(name: str) -> str:
    """Several of a type; the name of one that is described elsewhere stays as it is."""
    return name if "[" in name else f"{name}s"


def is_long(node: Schema) -> bool:
    """Whether a default is too long for a cell."""
    return len(json.dumps(node.get("default"))) > _LONGEST_DEFAULT


def default_text(node: Schema, *, required: bool) -> str:
    """What stands in the field when nobody writes it; empty when it stays absent."""
    if required:
        return "**required**"
    match node:
        case {"default": default} if default == {}:
            return "those of its fields"
        case {"default": _} if is_long(node):
            return "see below"
        case {"default": str(text)}:
            return code(text)
        case {"default": default}:
            return code(json.dumps(default))
    return ""


def limits_text(node: Schema, lengths: Mapping[str, int | None]) -> str:
    """The limits of a value, and of its items or values, as Markdown; without the lengths that patterns have anyway."""
    parts = list(_limits(node, lengths))
    for key, said in (("items", "each"), ("additionalProperties", "each value")):
        inner = [] if "properties" in node.get(key, {}) else list(_limits(node.get(key, {}), lengths))
        parts += [f"{said} {limit}" for limit in inner]
    return "; ".join(parts)


def choices_text(node: Schema) -> str:
    """The values of an enumeration as Markdown; empty for other nodes."""
    return ", ".join(code(str(value)) for value in node.get("enum", ()))


def _limits(node: Schema, lengths: Mapping[str, int | None]) -> Iterator[str]:
    if "enum" in node:
        yield choices_text(node)
        return
    yield from _numbers(node)
    for size, (one, several) in _COUNTED.items():
        most = node.get(f"max{size}")
        if most is None or most != lengths.get(pattern(node) or ""):
            yield from _sizes(node.get(f"min{size}", 0), most, one, several)
    match node.get("x-kubernetes-list-type"):
        case "map":
            yield f"one for each {' and '.join(map(code, node['x-kubernetes-list-map-keys']))}"
        case "set":
            yield "no duplicates"


def _numbers(node: Schema) -> Iterator[str]:
    least, most = node.get("minimum"), node.get("maximum")
    if node.get("exclusiveMinimum"):
        yield f"more than {least}"
        least = None
    if node.get("exclusiveMaximum"):
        yield f"less than {most}"
        most = None
    if least is not None and most is not None:
        yield f"{least} to {most}"
    elif least is not None:
        yield f"at least {least}"
    elif most is not None:
        yield f"at most {most}"
    if "multipleOf" in node:
        yield f"a multiple of {node['multipleOf']}"


def _sizes(least: int, most: int | None, one: str, several: str) -> Iterator[str]:
    if most is not None and least:
        yield f"{least} to {most} {several}"
    elif most is not None:
        yield f"at most {most} {one if most == 1 else several}"
    elif least:
        yield f"at least {least} {one if least == 1 else several}"
