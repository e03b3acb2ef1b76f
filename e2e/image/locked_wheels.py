"""Where a distribution of the lock comes from, and its digest. Pure."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from packaging.utils import canonicalize_name, parse_wheel_filename

from e2e.image.parts import Part


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel of the lock. `sha256`: in hexadecimal digits."""

    url: str
    sha256: str
    tags: frozenset[str]


def locked_wheels(lock: str) -> Mapping[tuple[str, str], tuple[Wheel, ...]]:
    """The wheels of a uv.lock's text by name and version."""
    return {
        (canonicalize_name(package["name"]), package.get("version", "")): tuple(
            Wheel(one["url"], one["hash"].removeprefix("sha256:"), _tags(one["url"]))
            for one in package.get("wheels", ())
        )
        for package in tomllib.loads(lock)["package"]
    }


def wheel_of(part: Part, wheels: Mapping[tuple[str, str], tuple[Wheel, ...]]) -> Wheel | None:
    """The one that a part was installed from, by name, version and tags; None for what is not from the lock."""
    fitting = [wheel for wheel in wheels.get((part.name, part.version), ()) if wheel.tags == part.tags]
    return fitting[0] if len(fitting) == 1 else None


def _tags(url: str) -> frozenset[str]:
    return frozenset(str(tag) for tag in parse_wheel_filename(unquote(url.rpartition("/")[2]))[3])
