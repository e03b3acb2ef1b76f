"""Whether the CRDs of a new release break anybody who uses those of an old one.

``python -m api.openapi.upgrade OLD_DIR NEW_DIR`` compares two folders of CustomResourceDefinitions and writes a
sentence for each change that matters. It ends with 1 when one of them breaks somebody, with 2 when a folder holds no
definition. Columns, scale paths and short names that went away are information.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from api.openapi.schema_changes import NOTHING, Change, Place, Sort, schema_changes

Definition = Mapping[str, Any]


class NoDefinitions(ValueError):
    """A folder holds no CustomResourceDefinition."""


def changes(old: Sequence[Definition], new: Sequence[Definition]) -> list[Change]:
    """Every change that matters, kind by kind. Definitions are told apart by name; a new one breaks nobody."""
    present = {definition["metadata"]["name"]: definition for definition in new}
    found: list[Change] = []
    for definition in old:
        name = definition["metadata"]["name"]
        if name in present:
            found.extend(_definition(definition["spec"], present[name]["spec"]))
        else:
            found.append(Change(Place(definition["spec"]["names"]["kind"]), Sort.REMOVED_KIND, name, NOTHING))
    return found


def _definition(old: Definition, new: Definition) -> Iterator[Change]:
    kind = old["names"]["kind"]
    yield from _identity(Place(kind), old, new)
    before, after = _storage(old), _storage(new)
    if before != after:
        yield Change(Place(kind), Sort.STORAGE_VERSION, before, after)
    served = {version["name"]: version for version in new["versions"] if version["served"]}
    for version in old["versions"]:
        if version["served"]:
            place = Place(kind, version["name"])
            if version["name"] in served:
                yield from _version(place, version, served[version["name"]])
            else:
                yield Change(place, Sort.REMOVED_VERSION, "served", "not served")


def _storage(spec: Definition) -> str:
    return next(str(version["name"]) for version in spec["versions"] if version["storage"])


def _identity(place: Place, old: Definition, new: Definition) -> Iterator[Change]:
    if old["scope"] != new["scope"]:
        yield Change(place, Sort.IDENTITY, f"scope {old['scope']}", f"scope {new['scope']}")
    for key in ("kind", "listKind", "singular"):
        before, after = old["names"].get(key), new["names"].get(key)
        if before != after:
            yield Change(place, Sort.IDENTITY, f"{key} {before}", f"{key} {after}")
    for key in ("shortNames", "categories"):
        for name in old["names"].get(key, ()):
            if name not in new["names"].get(key, ()):
                yield Change(place, Sort.NAME, f"{key} {name}", NOTHING)


def _version(place: Place, old: Definition, new: Definition) -> Iterator[Change]:
    yield from schema_changes(place, old["schema"]["openAPIV3Schema"], new["schema"]["openAPIV3Schema"])
    subresources = old.get("subresources", {}), new.get("subresources", {})
    if "status" in subresources[0] and "status" not in subresources[1]:
        yield Change(place, Sort.REMOVED_SUBRESOURCE, "status", NOTHING)
    after = subresources[1].get("scale", {})
    for key, path in subresources[0].get("scale", {}).items():
        if after.get(key) != path:
            yield Change(place, Sort.SCALE, f"{key} {path}", f"{key} {after.get(key, NOTHING)}")
    columns = {column["name"] for column in new.get("additionalPrinterColumns", ())}
    for column in old.get("additionalPrinterColumns", ()):
        if column["name"] not in columns:
            yield Change(place, Sort.COLUMN, f"{column['name']} ({column['jsonPath']})", NOTHING)


def read(directory: Path) -> list[Definition]:
    """The definitions in the YAML files of ``directory``, in order of file names.

    Raises:
        NoDefinitions: there is none.
    """
    documents = [
        document
        for path in sorted(directory.glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]
    found = [document for document in documents if document and document["kind"] == "CustomResourceDefinition"]
    if not found:
        raise NoDefinitions(
            f"{directory} has no CustomResourceDefinition in a .yaml file: name the folder of a release's CRDs"
        )
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Compares the two folders; the exit code is 0, 1 when something breaks, 2 when there is nothing to compare."""
    parser = argparse.ArgumentParser(prog="python -m api.openapi.upgrade", description=__doc__)
    parser.add_argument("old", type=Path, metavar="OLD_DIR", help="CRDs of the release that is installed")
    parser.add_argument("new", type=Path, metavar="NEW_DIR", help="CRDs of the release to come")
    options = parser.parse_args(arguments)
    try:
        found = changes(read(options.old), read(options.new))
    except NoDefinitions as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    breaking = [change for change in found if change.sort.breaks]
    for change in breaking:
        sys.stdout.write(f"{change}\n")
    for change in found:
        if not change.sort.breaks:
            sys.stdout.write(f"for information: {change}\n")
    sys.stdout.write(f"{len(breaking)} breaking changes.\n")
    return 1 if breaking else 0


if __name__ == "__main__":
    sys.exit(main())
