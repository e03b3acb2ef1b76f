"""Whether an advisory in the OSV format is of a distribution. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

_PYPI = "PyPI"


def told(advisory: Mapping[str, Any], name: str, version: str) -> str | None:
    """A line when the advisory is of that version of that distribution; None when not, or when it was withdrawn."""
    if advisory.get("withdrawn"):
        return None
    wanted = Version(version)
    fitting = [one for one in _of(advisory, name) if _affected(one, wanted)]
    if not fitting:
        return None
    fixed = sorted({str(event["fixed"]) for one in fitting for event in _events(one) if "fixed" in event})
    return f"{name} {version}: {advisory['id']}, mended in {', '.join(fixed) or 'no version yet'}"


def _of(advisory: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    for one in advisory.get("affected", ()):
        package = one.get("package", {})
        if package.get("ecosystem") == _PYPI and canonicalize_name(package["name"]) == canonicalize_name(name):
            yield one


def _affected(one: Mapping[str, Any], wanted: Version) -> bool:
    if any(_version(found) == wanted for found in one.get("versions") or ()):
        return True
    begun = False
    for event in _events(one):
        kind, found = next(iter(event.items()))
        bound = _version(found)
        if bound is None:
            return True  # a bound that nobody can compare does not make it safe
        if kind == "introduced" and bound <= wanted:
            begun = True
        elif (kind == "fixed" and bound <= wanted) or (kind == "last_affected" and bound < wanted):
            begun = False
    return begun


def _events(one: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for found in one.get("ranges") or ():
        if found.get("type") == "ECOSYSTEM":
            yield from found.get("events", ())


def _version(text: object) -> Version | None:
    try:
        return Version(str(text))
    except InvalidVersion:
        return None
