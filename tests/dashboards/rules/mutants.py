"""Alerts that are wrong in one way each: what cases of an alert have to notice."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from api.seconds import format_duration, parse_duration

Rule = dict[str, Any]

INVERTED = {">": "<", "<": ">", "==": "!=", "!=": "==", ">=": "<", "<=": ">"}

_COMPARED = re.compile(r" (>=|<=|==|!=|>|<) ")
_THRESHOLD = re.compile(r" (>=|<=|==|!=|>|<) ([0-9.]+)")
_MATCHER = re.compile(r'[a-z_]+(?:=~|!~|!=|=)"[^"]*"')
_BY = re.compile(r"((?:by|on) \()([^)]*)(\))")
_RANGE = re.compile(r"\[([0-9hms]+)\]")
_OFFSET = re.compile(r" offset ([0-9hms]+)")


def mutants(rule: Mapping[str, Any]) -> Iterator[tuple[str, Rule]]:
    """Every one, with what is wrong."""
    for what, expression in _expressions(rule["expr"]):
        yield what, {**rule, "expr": expression}
    yield from _waits(rule)
    other = "info" if rule["labels"]["severity"] != "info" else "critical"
    yield f"severity {other}", {**rule, "labels": {"severity": other}}


def _expressions(text: str) -> Iterator[tuple[str, str]]:
    yield from _inverted(text)
    yield from _moved(text)
    yield from _unmatched(text)
    yield from _ungrouped(text)
    yield from _joined(text)
    yield from _looking_back(text)


def _inverted(text: str) -> Iterator[tuple[str, str]]:
    for found in _COMPARED.finditer(text):
        yield f"{found[1]} at {found.start()} inverted", _instead(text, found, f" {INVERTED[found[1]]} ")


def _moved(text: str) -> Iterator[tuple[str, str]]:
    """Thresholds doubled, halved; 0 is 1."""
    for found in _THRESHOLD.finditer(text):
        value = float(found[2])
        for other in {value * 2 or 1.0, value / 2} - {value}:
            yield f"{found[0]} at {found.start()} is {other:g}", _instead(text, found, f" {found[1]} {other:g}")


def _unmatched(text: str) -> Iterator[tuple[str, str]]:
    """Each matcher left out, wherever it stands."""
    for matcher in dict.fromkeys(_MATCHER.findall(text)):
        less = text.replace(matcher, "").replace("{, ", "{").replace(", }", "}").replace(", , ", ", ")
        yield f"no {matcher}", less.replace("{}", "")


def _ungrouped(text: str) -> Iterator[tuple[str, str]]:
    """Each label left out, wherever it stands."""
    labels = {label for found in _BY.finditer(text) for label in found[2].split(", ") if label}
    for label in sorted(labels):

        def less(found: re.Match[str], label: str = label) -> str:
            return f"{found[1]}{', '.join(one for one in found[2].split(', ') if one != label)}{found[3]}"

        yield f"not by {label}", _BY.sub(less, text)


def _looking_back(text: str) -> Iterator[tuple[str, str]]:
    """Each range doubled and halved, each offset doubled and left out, wherever they stand."""
    for found in dict.fromkeys(_RANGE.findall(text)):
        for factor in (0.5, 2.0):
            other = format_duration(parse_duration(found) * factor)
            yield f"[{found}] is {other}", text.replace(f"[{found}]", f"[{other}]")
    for found in dict.fromkeys(_OFFSET.findall(text)):
        for other in ("", f" offset {format_duration(parse_duration(found) * 2)}"):
            yield f"offset {found} is{other or ' none'}", text.replace(f" offset {found}", other)


def _joined(text: str) -> Iterator[tuple[str, str]]:
    """Each `and` is an `or`, each side of an `or` or `unless` left out."""
    for word, other in ((" and ", " or "), (" unless ", " or ")):
        for found in re.finditer(word, text):
            yield f"{word.strip()} at {found.start()} is {other.strip()}", _instead(text, found, other)
    sides = re.split(r"(?<=\)) or (?=\()", text)
    for index in range(len(sides) if len(sides) > 1 else 0):
        yield f"without side {index}", " or ".join(sides[:index] + sides[index + 1 :])


def _waits(rule: Mapping[str, Any]) -> Iterator[tuple[str, Rule]]:
    for name in ("for", "keep_firing_for"):
        if name in rule:
            yield f"no {name}", {key: value for key, value in rule.items() if key != name}
            minutes = parse_duration(rule[name]) // 60
            for other in {minutes // 2, minutes * 2} - {0}:
                yield f"{name} {other:g}m", {**rule, name: f"{other:g}m"}


def _instead(text: str, found: re.Match[str], other: str) -> str:
    return text[: found.start()] + other + text[found.end() :]
