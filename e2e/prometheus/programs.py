"""Which Prometheus: the distribution's package `prometheus`, which has `promtool` as well."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from e2e.plane.assets import told_version
from e2e.plane.errors import BuildError
from e2e.plane.packages import VERSIONS, Packages, ensure_unpacked
from e2e.plane.progress import Progress

OLDEST = (2, 42)
"""Debian 12's, and the oldest whose language our rules and panels may use."""

_PACKAGES = Packages(("prometheus",), "Prometheus and promtool are the package prometheus")


@dataclass(frozen=True, slots=True)
class Programs:
    """Paths of the programs. `version` as they tell it, "2.42.0"; `package` as the distribution calls its archive."""

    prometheus: Path
    promtool: Path
    version: str
    package: str


def ensure_prometheus(progress: Progress | None = None, environ: Mapping[str, str] = os.environ) -> Programs:
    """The programs; downloaded once, which takes some seconds.

    Raises PackagesUnavailable elsewhere than on Debian or Ubuntu; BuildError when the package cannot be had, or is
    older than `OLDEST`; LockTimeout.
    """
    folder = ensure_unpacked(_PACKAGES, progress or Progress(), environ)
    promtool = folder / "usr/bin/promtool"
    version = told_version(promtool)
    if version is None:
        raise BuildError(f"{promtool} does not tell its version: remove {folder}, it is fetched again")
    if tuple(map(int, version.split(".")))[:2] < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise BuildError(f"the distribution's Prometheus is {version}, wanted {oldest} or newer: Debian 12 has it")
    package = (folder / VERSIONS).read_text(encoding="utf-8").strip()
    return Programs(folder / "usr/bin/prometheus", promtool, version, package)
