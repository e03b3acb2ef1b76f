"""API models as rows of a table, in less than half of their memory.

Pydantic keeps with each model, and with each model in it, a set of the fields that were given: 470 to 730 bytes
apiece, more than what the model says. A claim has twelve of them, 7 of its 12 KB, and nearly all claims give the same
fields. Here equal sets are one. Models of the API are frozen and a copy gets a set of its own, so that nobody ever
changes one.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from controller.runtime.manifest import Manifest

_M = TypeVar("_M", bound=BaseModel)

_SETS: Final[dict[frozenset[str], set[str]]] = {}
"""By content. As many as there are ways to fill in a kind: some hundreds, with all kinds that are kept."""


def reading(kind: type[_M]) -> Callable[[Manifest], _M]:
    """Reads objects of a kind as `model_validate` does. Its models must be frozen: raises TypeError for others."""
    if not kind.model_config.get("frozen"):
        raise TypeError(f"{kind.__name__} is not frozen: who changes one would change what others say was given")

    def read(obj: Manifest) -> _M:
        model = kind.model_validate(obj)
        _share(model)
        return model

    return read


def _share(value: Any) -> None:
    if isinstance(value, BaseModel):
        given = value.__pydantic_fields_set__
        object.__setattr__(value, "__pydantic_fields_set__", _SETS.setdefault(frozenset(given), given))
        for each in value.__dict__.values():
            _share(each)
    elif type(value) is list or type(value) is tuple:
        for each in value:
            _share(each)
