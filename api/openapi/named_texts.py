"""The texts with a form that fields share, such as durations and quantities, found by their patterns."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType
from typing import get_args

from pydantic import StringConstraints

import api
from api.markers import Remedy


@dataclass(frozen=True, slots=True)
class NamedText:
    """One form: its name in the program, what it is, and what the API server says to a text of another form.

    ``max_length`` is in characters; None when nothing limits it beside the pattern.
    """

    name: str
    description: str
    pattern: str
    remedy: str
    max_length: int | None


def named_texts() -> Mapping[str, NamedText]:
    """All forms of the wire types, by pattern. Of two names for one pattern the one that says less about it counts."""
    found: dict[str, tuple[int, NamedText]] = {}
    for module in _modules():
        descriptions = _descriptions(module)
        for name, annotation in vars(module).items():
            metadata = get_args(annotation)[1:]
            form = next((part for part in metadata if isinstance(part, StringConstraints)), None)
            if name in descriptions and form is not None and isinstance(form.pattern, str):
                remedy = next((part.text for part in metadata if isinstance(part, Remedy)), "")
                text = NamedText(name, descriptions[name], form.pattern, remedy, form.max_length)
                if form.pattern not in found or found[form.pattern][0] > len(metadata):
                    found[form.pattern] = len(metadata), text
    return {pattern: text for pattern, (_, text) in found.items()}


def _modules() -> Iterator[ModuleType]:
    """The modules of wire types: those beside this package, and those of the versions."""
    for info in pkgutil.walk_packages(api.__path__, "api."):
        if info.name.count(".") == 1 or info.name.startswith("api.v1"):
            yield importlib.import_module(info.name)


def _descriptions(module: ModuleType) -> dict[str, str]:
    """The texts below the module's own names: a string after an assignment."""
    body = ast.parse(inspect.getsource(module)).body
    described: dict[str, str] = {}
    for statement, following in pairwise(body):
        match statement, following:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(text))):
                described[name] = inspect.cleandoc(text)
    return described
