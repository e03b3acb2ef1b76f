"""The reasons that claims and services can have in their conditions, read from the source: who writes none is found out.

A reason is a CamelCase word, or the name of a constant that is one, where reasons stand: handed to what refuses, tells
or explains, the first of a pair (reason, sentence), the second of a triple (status, reason, sentence), or assigned to
something called `reason`.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
#: Where the conditions of claims and services come from.
ROOMS: Final = (
    "reconcilers/gpu_partition_claim",
    "reconcilers/share_group",
    "reconcilers/inference_service",
    "reconcilers/profile_map",
    "placement/decision.py",
    "placement/gangs.py",
    "placement/scheduler.py",
    "placement/share_group.py",
    "translate/policy_choice.py",
    "translate/request.py",
)
#: A module's own line, which is much sooner found so than by a tree of everything.
_CONSTANT = re.compile(r'^(\w+)(?:: [^=\n]+)? = "(\w+)"', re.MULTILINE)
_CLASS = re.compile(r"^class (\w+)\(([^)]*)\):", re.MULTILINE)
_REASON = re.compile(r"[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*")
_STATUSES = frozenset({"True", "False", "Unknown"})
TELLERS: Final = frozenset(
    [
        "Hindered",
        "Missing",
        "Refusal",
        "Refused",
        "RefusedChoice",
        "Unplaced",
        "Unsized",
        "_give_up",
        "_tell",
        "_trouble",
        "explain",
        "mismatched",
        "refuse",
        "set_condition",
        "trouble",
        "troubled",
        "unconfirmed",
        "waiting",
    ]
)


def modules(*rooms: str) -> list[Path]:
    """The source files of rooms of `controller/`."""
    found = []
    for room in rooms:
        path = ROOT / "controller" / room
        found += [path] if path.suffix else sorted(path.rglob("*.py"))
    return found


@cache
def constants() -> dict[str, set[str]]:
    """Every module's constants that could be reasons, by name."""
    found: dict[str, set[str]] = {}
    for path in modules(""):
        for name, value in _CONSTANT.findall(path.read_text(encoding="utf-8")):
            if _is_reason(value):
                found.setdefault(name, set()).add(value)
    return found


def reasons(paths: Iterable[Path], tellers: frozenset[str] = TELLERS) -> set[str]:
    """The words that stand where reasons do: among them in calls of `tellers`."""
    known = constants()
    return {
        word
        for path in paths
        for node in ast.walk(ast.parse(path.read_text()))
        for place in _places(node, tellers)
        for word in _words(place, known)
    } - _STATUSES


@cache
def errors(root: str) -> frozenset[str]:
    """The names of the error classes that descend from one, in all of `controller/`: they are reasons as well."""
    bases = {
        name: set(re.findall(r"\w+", of))
        for path in modules("")
        for name, of in _CLASS.findall(path.read_text(encoding="utf-8"))
    }
    found = {root}
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return frozenset(found - {root})


def _places(node: ast.AST, tellers: frozenset[str]) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        yield from node.args[:4] if called in tellers else ()
        yield from (each.value for each in node.keywords if each.arg == "reason")
    elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) in (2, 3):
        yield from node.elts[:2]
    elif isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == "reason" for one in node.targets):
        yield node.value


def _words(node: ast.expr, known: dict[str, set[str]]) -> set[str]:
    match node:
        case ast.Constant(value=value) if _is_reason(value):
            return {str(value)}
        case ast.Name(id=name):
            return known.get(name, set())
        case ast.IfExp(body=body, orelse=otherwise):
            return _words(body, known) | _words(otherwise, known)
        case _:
            return set()


def _is_reason(value: object) -> bool:
    return isinstance(value, str) and _REASON.fullmatch(value) is not None
