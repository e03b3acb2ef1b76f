"""What the image has of others: the lock's distributions without those of development."""

import re
import subprocess
from pathlib import Path

from packaging.requirements import Requirement

_LIMIT_SECONDS = 120
SHIPPED = ("--locked", "--no-dev", "--extra", "otlp")
"""What of the lock goes into the image, in uv's words: those of the Dockerfile."""

_LINE = re.compile(r"^(?=[A-Za-z0-9])(.+?)\s*\\?$")


def export(uv: Path, source: Path) -> str:
    """The lock as requirements with digests. Raises CalledProcessError when the lock does not fit pyproject.toml."""
    words = [str(uv), "export", "--quiet", *SHIPPED, "--no-emit-project", "--format", "requirements-txt"]
    done = subprocess.run(words, cwd=source, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=True)
    return done.stdout


def shipped(exported: str) -> list[Requirement]:
    """The distributions among exported requirements that are for this Python and platform."""
    lines = (_LINE.match(line) for line in exported.splitlines())
    found = [Requirement(line[1]) for line in lines if line is not None]
    return [one for one in found if one.marker is None or one.marker.evaluate()]
