"""Which vLLM a start is of, as far as memory goes by it: release and generation, read from what people write.

Logs and threads name versions in many ways: ``0.13.0rc2.dev112+g763963aa7``, ``0.11 era``, ``0.9.x``, ``Aug 2024``.
What cannot be read is None: it stands for the newest release known.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

DEFAULT_IMAGES_RELEASE = "0.23"
"""What a start is counted with where no version is told: that of our default image, AIM 0.13
(amd-enterprise-ai/aim-build at version 0.13, ``docker/Dockerfile.aim-instinct-base``)."""

_RELEASE = re.compile(r"(?<![\d.])v?(\d{1,2})\.(\d{1,3})(?:\.(\d{1,3}))?(?!\d)")

_FIRST_V1_DEFAULT = (0, 8)
"""The release from which V1 is what starts without being asked for (vLLM 0.8.0, release notes)."""


class Generation(StrEnum):
    """The two engines vLLM has had. They profile with other batches."""

    V0 = "V0"
    V1 = "V1"


@dataclass(frozen=True, slots=True)
class EngineVersion:
    """``release`` is (major, minor) or (major, minor, patch), None when unknown."""

    release: tuple[int, ...] | None = None
    generation: Generation = Generation.V1

    def since(self, *release: int) -> bool:
        """Whether this is that release or a later one; an unknown release is the newest of its generation."""
        if self.release is None:
            return self.generation is Generation.V1
        return self.release >= release

    @classmethod
    @lru_cache(maxsize=256)
    def parse(cls, text: str, generation: str = "") -> "EngineVersion":
        """Read a version, and the generation where it is said; else it follows from the release.

        An estimate asks for the same one some 35 times: to read each was a quarter of what a list of profiles takes.
        """
        found = _RELEASE.search(text)
        release = tuple(int(part) for part in found.groups() if part) if found else None
        if generation.startswith(tuple(Generation)):
            return cls(release, Generation(generation[:2]))
        old = release is not None and release < _FIRST_V1_DEFAULT
        return cls(release, Generation.V0 if old else Generation.V1)
