"""What an image consists of: Debian's packages by dpkg's own list, Python's distributions by their metadata. Pure."""

import csv
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import message_from_string
from email.message import Message
from typing import Final

from packageurl import PackageURL
from packaging.utils import canonicalize_name

from e2e.audit.licences import FIELDS, stated
from e2e.image.contents import Contents

STATUS: Final = "var/lib/dpkg/status"
OS_RELEASE: Final = "usr/lib/os-release"
_INFO: Final = "var/lib/dpkg/info/"
_DOC: Final = "usr/share/doc/"
_DIST_INFO: Final = ".dist-info/"
_DIST_INFO_FILES: Final = ("METADATA", "RECORD", "WHEEL")
# Debian's top folders are links into usr; its packages of this release name their files by either
_MERGED: Final = ("bin/", "lib/", "lib32/", "lib64/", "libx32/", "sbin/")
_WRITTEN: Final = ("etc/", "var/")
_OF_DEBIANS_SCRIPTS: Final = frozenset(
    {"root/.bashrc", "root/.profile", "usr/share/info/dir", "usr/sbin/policy-rc.d"}  # the last in Docker's base only
)
_OF_A_VIRTUAL_ENVIRONMENT: Final = re.compile(
    r"opt/aim-gpu/(pyvenv\.cfg|\.gitignore|CACHEDIR\.TAG|bin/((de)?activate[._a-z0-9]*|pydoc\.bat))"
)
_MACHINE_READABLE: Final = re.compile(r"\AFormat: *https?://\S*/copyright-format/", re.IGNORECASE)
_LICENCE: Final = re.compile(r"^License: *(\S.*?) *$", re.MULTILINE)
_GNU: Final = re.compile(r"((?:A|L)?GPL)-(\d)(\.\d)?(\+)?")
_OF_SPDX: Final = {
    "Artistic": "Artistic-1.0-Perl",
    "BSD-2-clause": "BSD-2-Clause",
    "BSD-3-clause": "BSD-3-Clause",
    "Expat": "MIT",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One package or distribution. `licences`: SPDX's names and expressions as far as they fit, else as they stand;
    empty where none is told in a form that a program reads. `owns`: its files, relative to the root. `tags`: those of
    the wheel that a distribution came in.
    """

    name: str
    version: str
    purl: str
    licences: tuple[str, ...]
    owns: frozenset[str]
    tags: frozenset[str] = frozenset()


def wanted(path: str) -> bool:
    """Whether the text of a file of the image is needed to tell its parts."""
    if _DIST_INFO in path:
        return path.rpartition("/")[2] in _DIST_INFO_FILES
    if path.startswith(_DOC):
        return path.endswith("/copyright")
    return path in {STATUS, OS_RELEASE} or (path.startswith(_INFO) and path.endswith(".list"))


def parts(contents: Contents) -> tuple[Part, ...]:
    """All parts, by purl. Raises ValueError where there is no list of Debian's packages."""
    return tuple(sorted((*_packages(contents), *_distributions(contents)), key=lambda part: part.purl))


def system(contents: Contents) -> tuple[str, str]:
    """Name and version of the distribution of Linux, such as ("debian", "12"); empty where the image does not say."""
    told = dict(line.split("=", 1) for line in contents.texts.get(OS_RELEASE, "").splitlines() if "=" in line)
    return told.get("ID", "").strip('"'), told.get("VERSION_ID", "").strip('"')


def unlisted(contents: Contents, listed: tuple[Part, ...]) -> list[str]:
    """Programs, libraries and other files that belong to none of the listed parts, sorted.

    Files in etc and var are not looked at: packages write them as they are installed, and record few of them.
    """
    owned = frozenset().union(*(part.owns for part in listed))
    found = (path for path in contents.files if not path.startswith(_WRITTEN))
    return sorted(path for path in found if _source(path) not in owned and not _of_the_environment(path))


def _packages(contents: Contents) -> Iterator[Part]:
    if STATUS not in contents.texts:
        raise ValueError(f"the image has no {STATUS}: its Debian packages are not known")
    distribution, version = system(contents)
    for paragraph in contents.texts[STATUS].split("\n\n"):
        told = message_from_string(paragraph)
        if not told["Package"] or told["Status"] != "install ok installed":
            continue
        qualifiers = {"arch": told["Architecture"], "distro": f"{distribution}-{version}"}
        if source := told["Source"]:
            qualifiers["upstream"] = source.split()[0]
        purl = PackageURL("deb", distribution, told["Package"], told["Version"], qualifiers)
        licences = _debian_licences(contents, told["Package"])
        owns = _listed_files(contents, told["Package"], told["Architecture"])
        yield Part(told["Package"], told["Version"], purl.to_string(), licences, owns)


def _listed_files(contents: Contents, name: str, architecture: str) -> frozenset[str]:
    text = contents.texts.get(f"{_INFO}{name}.list", contents.texts.get(f"{_INFO}{name}:{architecture}.list", ""))
    paths = {line.lstrip("/") for line in text.splitlines()}
    return frozenset(paths | {f"usr/{path}" for path in paths if path.startswith(_MERGED)})


def _debian_licences(contents: Contents, name: str) -> tuple[str, ...]:
    """The licences that its copyright file names; none when that is a text for people only."""
    folder = contents.links.get(f"{_DOC}{name}", name).rpartition("/")[2]
    text = contents.texts.get(f"{_DOC}{folder}/copyright", "")
    if not _MACHINE_READABLE.search(text):
        return ()
    return tuple(sorted({_of_spdx(found) for found in _LICENCE.findall(text)}))


def _of_spdx(name: str) -> str:
    if gnu := _GNU.fullmatch(name):
        family, major, minor, later = gnu.groups()
        return f"{family}-{major}{minor or '.0'}-{'or-later' if later else 'only'}"
    return _OF_SPDX.get(name, name)


def _distributions(contents: Contents) -> Iterator[Part]:
    for path, text in contents.texts.items():
        if not path.endswith(f"{_DIST_INFO}METADATA"):
            continue
        folder = path.removesuffix("/METADATA")
        told = message_from_string(text)
        name = canonicalize_name(str(told["Name"]))
        expression = stated(name, _fields(told))
        wheel = message_from_string(contents.texts.get(f"{folder}/WHEEL", ""))
        yield Part(
            name,
            str(told["Version"]),
            PackageURL("pypi", None, name, str(told["Version"])).to_string(),
            (expression,) if expression else (),
            _recorded(folder, contents.texts.get(f"{folder}/RECORD", "")),
            frozenset(str(tag) for tag in wheel.get_all("Tag", ())),
        )


def _fields(told: Message) -> Mapping[str, list[str]]:
    return {field: [str(value) for value in told.get_all(field, ())] for field in FIELDS}


def _recorded(folder: str, record: str) -> frozenset[str]:
    packages = posixpath.dirname(folder)
    return frozenset(posixpath.normpath(f"{packages}/{row[0]}") for row in csv.reader(record.splitlines()) if row)


def _source(path: str) -> str:
    """What a file of bytecode was compiled from; other files as they are."""
    compiled = re.fullmatch(r"(.*/)__pycache__/([^/]+)\.cpython-\d+\.pyc", path)
    return f"{compiled[1]}{compiled[2]}.py" if compiled else path


def _of_the_environment(path: str) -> bool:
    """Of Python's virtual environment itself, which uv makes, and what Debian's scripts and images write themselves."""
    return path in _OF_DEBIANS_SCRIPTS or _OF_A_VIRTUAL_ENVIRONMENT.fullmatch(path) is not None
