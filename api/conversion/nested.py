"""Places in nested JSON objects: a path is a tuple of names, absent is a value of its own."""

from collections.abc import Sequence
from enum import Enum
from typing import Any, Final

Path = tuple[str, ...]


class _Absent(Enum):
    ABSENT = "absent"


ABSENT: Final = _Absent.ABSENT
"""What a place holds that nobody has written; null is another thing."""


def at(tree: Any, path: Sequence[str]) -> Any:
    """What stands at ``path``, or ABSENT."""
    for name in path:
        if not isinstance(tree, dict) or name not in tree:
            return ABSENT
        tree = tree[name]
    return tree


def put(tree: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Writes ``value`` at ``path``, making the objects above it; ABSENT takes away what is there."""
    *above, last = path
    for name in above:
        tree = tree.setdefault(name, {})
    if value is ABSENT:
        tree.pop(last, None)
    else:
        tree[last] = value


def dotted(path: Sequence[str]) -> str:
    """The path as people write it: ``gpuSharing.partition.mode``."""
    return ".".join(path)
