"""Whether a tag may be released: it is the version that stands everywhere, and its changes are told. Pure."""

import re
from collections.abc import Mapping

_TAG = re.compile(r"v(\d+\.\d+\.\d+)")


def version_of(tag: str) -> str | None:
    """The version that a tag names; None for a tag that is of no release."""
    match = _TAG.fullmatch(tag)
    return match[1] if match else None


def objections(tag: str, named: Mapping[str, str], changelog: str) -> list[str]:
    """What keeps a tag from being released, as sentences. `named` are the versions by the file they stand in."""
    version = version_of(tag)
    if version is None:
        return [f"tag {tag}: not of the form v1.2.3"]
    found = [f"{file} has version {other}, the tag says {version}" for file, other in named.items() if other != version]
    heading = re.search(rf"^## \[{re.escape(version)}\] - (.+)$", changelog, re.MULTILINE)
    if heading is None:
        found.append(f"CHANGELOG.md has no heading ## [{version}] - DAY")
    elif not re.fullmatch(r"\d{4}-\d{2}-\d{2}", heading[1]):
        found.append(f"CHANGELOG.md says {heading[1]} of {version}: write the day of the release, as 2027-01-31")
    return found
