"""A JSON patch applied as an API server would: `test`, `add`, `remove` and `replace`, strict about paths."""

import copy
from typing import Any


class PatchFailed(ValueError):
    """An operation that does not apply; the text names it."""


def apply_patch(document: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """`document` after all operations, itself unchanged. Raises PatchFailed."""
    result = copy.deepcopy(document)
    for operation in operations:
        try:
            _apply(result, operation)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise PatchFailed(f"{operation} does not apply: {error!r}") from error
    return result


def _apply(document: dict[str, Any], operation: dict[str, Any]) -> None:
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    target: Any = document
    for part in parents:
        target = target[int(part)] if isinstance(target, list) else target[part]
    if isinstance(target, list):
        _in_list(target, last, operation)
    else:
        _in_object(target, last, operation)


def _in_list(target: list[Any], last: str, operation: dict[str, Any]) -> None:
    if operation["op"] == "add":
        position = len(target) if last == "-" else int(last)
        if position > len(target):
            raise IndexError(position)
        target.insert(position, copy.deepcopy(operation["value"]))
        return
    _existing(target, int(last), operation)


def _in_object(target: dict[str, Any], last: str, operation: dict[str, Any]) -> None:
    if operation["op"] == "add":
        target[last] = copy.deepcopy(operation["value"])
        return
    _existing(target, last, operation)


def _existing(target: Any, place: Any, operation: dict[str, Any]) -> None:
    match operation["op"]:
        case "remove":
            del target[place]
        case "replace":
            target[place] = (target[place], copy.deepcopy(operation["value"]))[1]
        case "test":
            if target[place] != operation["value"]:
                raise ValueError(f"test found {target[place]!r}")
        case other:
            raise ValueError(f"operation {other!r} is not used here")
