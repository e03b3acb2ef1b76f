"""What fields hold that nobody gave, made anew for each object."""

from typing import Any


def no_items() -> list[Any]:
    """An empty list.

    Not `list` itself: pydantic asks each such default for its signature, and that of a class in C is worked out of its
    documentation. A command that reads a cluster lost 15 ms with it.
    """
    return []
