"""How the API server is told of a text's form: by a rule that names the remedy, or by the plain pattern.

The API server's own message on a pattern is the pattern. What users write therefore has a CEL rule in its place, whose
message has the value and what to write instead; in a status, which programs write, the pattern is enough.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from api.markers import REMEDY, Rule, with_value

Schema = dict[str, Any]

_RULES: Final = "x-kubernetes-validations"


def by_rule(schema: Mapping[str, Any]) -> Schema:
    """A copy in which a rule, the first of its node, stands for each pattern that has a remedy.

    Raises:
        ValueError: a pattern has a quote, which CEL's raw text cannot have.
    """
    return _everywhere(_with_rule, schema)


def by_pattern(schema: Mapping[str, Any]) -> Schema:
    """A copy that keeps the patterns and has no remedies."""
    return _everywhere(_plain, schema)


def _with_rule(node: Schema) -> Schema:
    if REMEDY not in node:
        return node
    pattern, remedy = node.pop("pattern"), node.pop(REMEDY)
    if "'" in pattern:
        raise ValueError(f"pattern {pattern!r} has a quote: write it without")
    rule = Rule(f"self.matches(r'{pattern}')", remedy, with_value(remedy))
    return {**node, _RULES: [dict(sorted(rule.schema().items())), *node.get(_RULES, [])]}


def _plain(node: Schema) -> Schema:
    return {key: value for key, value in node.items() if key != REMEDY}


def _everywhere(change: Callable[[Schema], Schema], schema: Mapping[str, Any]) -> Schema:
    """A copy of ``schema`` with each node changed, the keys of a node in their order."""
    copy = dict(schema)
    if "properties" in copy:
        copy["properties"] = {name: _everywhere(change, child) for name, child in copy["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in copy:
            copy[key] = _everywhere(change, copy[key])
    return change(copy)
