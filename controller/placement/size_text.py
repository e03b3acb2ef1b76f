"""Sizes as explanations print them."""

from typing import Final

GIB: Final = 1 << 30
"""Bytes."""


def gib(size: int) -> str:
    """A size of so many bytes in GiB with one decimal."""
    return f"{size / GIB:.1f} GiB"
