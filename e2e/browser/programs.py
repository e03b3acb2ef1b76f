"""Which browser: the distribution's package `chromium-headless-shell`, with all that it needs, unpacked into the cache.

Nothing is installed, and Playwright's own download, which comes from elsewhere than package registries, is not needed.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.plane.assets import told_version
from e2e.plane.errors import BuildError, PackagesUnavailable
from e2e.plane.packages import Packages, ensure_unpacked
from e2e.plane.progress import Progress

_PACKAGES: Final = Packages(
    ("chromium-headless-shell", "fonts-dejavu-core"), "Chromium without a window is chromium-headless-shell", True
)
_PROGRAM: Final = "usr/lib/chromium/chromium-headless-shell"
_LIBRARIES: Final = ("usr/lib/*-linux-gnu*", "usr/lib/*-linux-gnu*/pulseaudio", "lib/*-linux-gnu*")
_ELSEWHERE: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""Names on PATH, where the package cannot be had."""


@dataclass(frozen=True, slots=True)
class Browser:
    """Its `program`, what it takes of `environment` besides one's own, and its `version`: "156.0.8078.108"."""

    program: Path
    environment: Mapping[str, str]
    version: str


def ensure_browser(progress: Progress | None = None, environ: Mapping[str, str] = os.environ) -> Browser:
    """The browser; downloaded once (170 MB), which takes some ten seconds. Elsewhere than on Debian, the one on PATH.

    Raises PackagesUnavailable or BuildError where there is neither; BuildError when it does not run; LockTimeout.
    """
    try:
        folder = ensure_unpacked(_PACKAGES, progress or Progress(), environ)
    except (PackagesUnavailable, BuildError):  # no apt, or one of Ubuntu, which has no such package
        found = next(filter(None, (shutil.which(name, path=environ.get("PATH")) for name in _ELSEWHERE)), None)
        if found is None:
            raise
        return _running(Path(found), {})
    libraries = [str(each) for place in _LIBRARIES for each in sorted(folder.glob(place))]
    # its fonts, too: those of the machine would make pictures of the same page differ
    environment = {"LD_LIBRARY_PATH": ":".join(libraries), "FONTCONFIG_SYSROOT": str(folder)}
    return _running(folder / _PROGRAM, environment)


def _running(program: Path, environment: Mapping[str, str]) -> Browser:
    version = told_version(program, environment)
    if version is None:
        raise BuildError(f"{program} does not start: remove its folder in the cache, it is fetched again")
    return Browser(program, environment, version)
