"""DATA of a benchmark whose settings are all whole numbers: words like `nodes=4 pods=200`. Pure."""

from collections.abc import Collection
from dataclasses import fields, replace
from typing import TypeVar

from tests.benchmarks.controller.settings import SettingsError

_S = TypeVar("_S")


def settings_of_words(usual: _S, data: str, may_be_zero: Collection[str] = ()) -> _S:
    """`usual`, a dataclass of numbers, with what the words say. Raises SettingsError, naming the word and what is there."""
    known = {each.name for each in fields(usual)}  # type: ignore[arg-type] # a dataclass, as said
    given: dict[str, int] = {}
    for word in data.split():
        name, _, value = word.partition("=")
        if name not in known or not value.isdecimal() or (int(value) == 0 and name not in may_be_zero):
            raise SettingsError(f"DATA {word!r}: write a positive number for one of {', '.join(sorted(known))}")
        given[name] = int(value)
    return replace(usual, **given)  # type: ignore[type-var]
