"""The ConfigMaps of AIM profiles: which files are in them, as far as we wrote them, and why one could not be written.

The informer shows their metadata only. What reconcilers wrote is remembered here beside the version that was stored: as
long as the informer shows that version, the files are there.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from controller.runtime.cache.store import Store
from controller.runtime.objects.metadata import PartialObject


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a ConfigMap cannot be written: a CamelCase reason, and a sentence with the remedy."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: the version that was stored, the files, and the uids of the owners."""

    version: str
    files: frozenset[str]
    owners: frozenset[str]


class ProfileMaps:
    """By `namespace/name`. Of a ConfigMap that somebody changed since nothing is known until it was looked at again."""

    def __init__(self, store: Store[PartialObject]) -> None:
        self._store = store
        self._written: dict[str, Written] = {}
        self._refused: dict[str, Refused] = {}
        self._changed: list[Callable[[str], None]] = []

    def on_change(self, call: Callable[[str], None]) -> None:
        """Call `call` with the key of one that was written or refused: the watch may have told of it before that."""
        self._changed.append(call)

    def wrote(self, key: str, version: str, files: Iterable[str], owners: Iterable[str]) -> None:
        """It was written, or found to be as it should be."""
        self._written[key] = Written(version, frozenset(files), frozenset(owners))
        self._refused.pop(key, None)
        self._tell(key)

    def refuse(self, key: str, refused: Refused) -> None:
        """It could not be written; what was in it before, if anything, is there still."""
        self._refused[key] = refused
        self._tell(key)

    def _tell(self, key: str) -> None:
        for call in self._changed:
            call(key)

    def forget(self, key: str) -> None:
        """Nobody needs it any more."""
        self._written.pop(key, None)
        self._refused.pop(key, None)

    def refusal(self, key: str) -> Refused | None:
        """Why it could not be written, the last time that was tried."""
        return self._refused.get(key)

    def standing(self, key: str) -> Written | None:
        """What is in it, None while it is not there, or not as it was written."""
        stored, written = self._store.get(key), self._written.get(key)
        if stored is None or written is None or stored.metadata.resource_version != written.version:
            return None
        return written

    def has(self, key: str, file: str | None) -> bool:
        """Whether it is there, with that file if one is named."""
        written = self.standing(key)
        return written is not None and (file is None or file in written.files)
