"""Finds readers that change what they share: for tests. Pure.

A store hands the same object to everybody. Nothing stops a reader from writing into a dict (or into the labels of a
Struct), and whoever reads next then sees what no server ever said.
"""

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from controller.runtime.manifest import AnyObject


class ObjectChanged(AssertionError):
    """A reader changed an object of a store; the text names its key. `copy.deepcopy` what is to be changed."""


class Digests:
    """What each object looked like when it was taken in. One look costs an encoding of every object."""

    def __init__(self) -> None:
        self._digests: dict[str, bytes] = {}

    def keep(self, key: str, obj: AnyObject) -> None:
        """Remember what `obj` looks like."""
        self._digests[key] = _digest(obj)

    def drop(self, key: str) -> None:
        """Forget it."""
        del self._digests[key]

    def check(self, held: Iterable[tuple[str, AnyObject]]) -> None:
        """Raises ObjectChanged when one of them looks otherwise than it did."""
        changed = [key for key, obj in held if self._digests[key] != _digest(obj)]
        if changed:
            raise ObjectChanged(
                f"changed by a reader: {', '.join(sorted(changed))}; objects of a store are everybody's: copy"
            )


def _digest(obj: AnyObject) -> bytes:
    return blake2b(msgspec.json.encode(obj), digest_size=16).digest()
