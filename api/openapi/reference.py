"""The API reference for users, from the descriptions that the API server shows, too.

``python -m api.openapi.reference --out FILE`` writes it as Markdown; the file is committed, and a test compares it
with what this module gives.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from api.group import GROUP
from api.openapi.crd import crd
from api.openapi.described_type import DescribedField, DescribedType, shared_types
from api.openapi.field_tables import FieldTables, markdown_table, slug
from api.openapi.field_text import code, messages, prose
from api.openapi.kind import KINDS, Kind, Version
from api.openapi.named_texts import NamedText, named_texts

Schema = Mapping[str, Any]

_INTRODUCTION: Final = f"""# API reference

<!-- Generated from the models in api/ by `python -m api.openapi.reference`. Do not edit. -->

The kinds of `{GROUP}`. `kubectl explain` says the same of a cluster's own version.

- In paths, `[]` stands for each item of a list and `{{}}` for each value of a map.
- A field without a default stays absent when nobody writes it; its description says what that means.
- Times are in UTC as RFC 3339 writes them. Numbers that would need a fraction are decimal text.
- Every object has `apiVersion`, `kind` and `metadata`, as all objects of Kubernetes.
"""

_TEXTS: Final = "Texts"
_SHARED: Final = "Shared types"
_RULES: Final = "rules"
_PARTS: Final = ("spec", "status")


def reference() -> str:
    """The whole page."""
    return _Page().text()


class _Page:
    """One rendering of all kinds."""

    def __init__(self) -> None:
        self._schemas = {
            (kind.name, version["name"]): version["schema"]["openAPIV3Schema"]
            for kind in KINDS
            for version in crd(kind)["spec"]["versions"]
        }
        self._roots = {
            (kind.name, name): DescribedType.of(version.model, self._schemas[kind.name, name])
            for kind in KINDS
            for name, version in kind.versions.items()
        }
        self._texts = named_texts()
        self._shared = shared_types(part for root in self._roots.values() for part in _parts(root).values())
        self._tables = FieldTables(self._texts, [type_.model for type_ in self._shared])

    def text(self) -> str:
        sections = [section for kind in KINDS for section in self._kind(kind)]
        sections += [f"## {_SHARED}\n", *(self._shared_type(type_) for type_ in self._shared)]
        body = "\n".join(sections)
        used = [text for text in self._texts.values() if f"[{text.name}](" in body]
        return "\n".join([_INTRODUCTION, _contents(), body, _texts(used)])

    def _kind(self, kind: Kind) -> Iterator[str]:
        hub = next(iter(kind.versions.values()))
        yield f"## {kind.name}\n\n{prose(hub.model.__doc__ or '')}\n"
        for name, version in kind.versions.items():
            yield f"### {kind.name} {name}\n\n{_about(kind, name, version)}\n"
            yield _columns(version)
            parts = _parts(self._roots[kind.name, name])
            yield from self._fields(kind, name, "spec", parts["spec"])
            yield _checks(f"{kind.name} {name}: {_RULES}", self._schemas[kind.name, name])
            yield from self._fields(kind, name, "status", parts["status"])

    def _fields(self, kind: Kind, version: str, part: str, type_: DescribedType) -> Iterator[str]:
        heading = f"{kind.name} {version}: {part}"
        earlier = self._same_before(kind, version, part, type_)
        if earlier:
            yield f"#### {heading}\n\nAs [{part} of {earlier}](#{slug(f'{kind.name} {earlier}: {part}')}).\n"
        else:
            yield from self._tables.sections(heading, part, type_, with_limits=part == "spec")

    def _same_before(self, kind: Kind, version: str, part: str, type_: DescribedType) -> str | None:
        """The version above whose spec or status is this one."""
        for other in kind.versions:
            if other == version:
                return None
            if _parts(self._roots[kind.name, other])[part].model is type_.model:
                return other
        return None

    def _shared_type(self, type_: DescribedType) -> str:
        table = self._tables.table("", type_, with_limits=self._is_written_by_users(type_))
        return f"### {type_.name}\n\n{prose(type_.description)}\n\n{table}"

    def _is_written_by_users(self, type_: DescribedType) -> bool:
        """Whether a spec has the type somewhere; a status says nothing that one could get wrong."""
        return any(_has(_parts(root)["spec"], type_) for root in self._roots.values())


def _has(within: DescribedType, type_: DescribedType) -> bool:
    structs = [child.struct for child in within.fields if child.struct is not None]
    return any(struct.model is type_.model or _has(struct, type_) for struct in structs)


def _parts(root: DescribedType) -> dict[str, DescribedType]:
    """Spec and status of an object."""
    fields: dict[str, DescribedField] = {child.name: child for child in root.fields}
    return {part: struct for part in _PARTS if (struct := fields[part].struct) is not None}


def _contents() -> str:
    rows = [
        (
            f"[{kind.name}](#{slug(kind.name)})",
            ", ".join(f"[{name}](#{slug(f'{kind.name} {name}')})" for name in kind.versions),
            code(kind.short_name),
            "namespace" if kind.namespaced else "cluster",
            prose(next(iter(kind.versions.values())).model.__doc__ or ""),
        )
        for kind in KINDS
    ]
    more = f"Besides: [{_SHARED.lower()}](#{slug(_SHARED)}), [{_TEXTS.lower()} that have a form](#{slug(_TEXTS)}).\n"
    return markdown_table(("Kind", "Versions", "Short name", "Scope", "What it is"), rows) + "\n" + more


def _about(kind: Kind, name: str, version: Version) -> str:
    """What is to be known of a version before its fields."""
    hub = next(iter(kind.versions))
    paragraphs = (sys.modules[version.model.__module__].__doc__ or "").split("\n\n")[1:]
    own = [] if name == hub else [version.model.__doc__ or ""]
    stored = "stored" if name == hub else f"converted to {hub}, which is stored ([each field's place there]({name}.md))"
    subresources = "`status` and `scale`" if version.scale else "`status`"
    facts = f"`apiVersion: {GROUP}/{name}`, {stored}. Subresources: {subresources}."
    headings = [(part, slug(f"{kind.name} {name}: {part}")) for part in ("spec", _RULES, "status")]
    links = "Fields and checks: " + ", ".join(f"[{part}](#{anchor})" for part, anchor in headings) + "."
    return "\n\n".join([*map(prose, [*own, *paragraphs]), facts, links])


def _columns(version: Version) -> str:
    rows = [
        (column.name + (" (`-o wide`)" if column.priority else ""), prose(column.description), code(column.json_path))
        for column in version.columns
    ]
    return markdown_table(("Column of `kubectl get`", "Shows", "From"), rows)


def _checks(heading: str, schema: Schema) -> str:
    """The section of what the API server checks besides types and limits."""
    rows = [(code(path) if path else "the object", prose(message)) for path, message in _rules(schema, "")]
    if not rows:
        return f"#### {heading}\n\nNone besides types and limits.\n"
    about = "What the API server checks besides types and limits. Its message has the value, too."
    return f"#### {heading}\n\n{about}\n\n" + markdown_table(("About", "Message when refused"), rows)


def _rules(schema: Schema, path: str) -> Iterator[tuple[str, str]]:
    """Every rule of a schema in words, with the path it is about."""
    for at, message in messages(schema):
        yield (path + at).removeprefix("."), message
    for name, child in schema.get("properties", {}).items():
        yield from _rules(child, f"{path}.{name}".removeprefix("."))
    for key, step in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            yield from _rules(schema[key], path + step)


def _texts(texts: Iterable[NamedText]) -> str:
    return f"## {_TEXTS}\n\n" + "\n".join(_text(text) for text in sorted(texts, key=lambda text: text.name))


def _text(text: NamedText) -> str:
    remedy = text.remedy.partition(": ")[2]
    lines = [prose(text.description), f"{remedy[:1].upper()}{remedy[1:]}." if remedy else ""]
    if text.max_length is not None:
        lines.append(f"At most {text.max_length} characters.")
    # a pattern stands in a block of its own, where nothing has to be escaped
    return f"### {text.name}\n\n{' '.join(filter(None, lines))}\n\n```text\n{text.pattern}\n```\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the page to the file named by ``--out``."""
    parser = argparse.ArgumentParser(prog="python -m api.openapi.reference", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the Markdown file")
    parser.parse_args(arguments).out.write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
