"""YAML files as a person gives them to a command: documents that remember where they stand.

A directory means the `.yaml`, `.yml` and `.json` files directly in it, by name, as kubectl reads one. Objects of kind
List are unpacked.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SUFFIXES = (".yaml", ".yml", ".json")


class BadInput(ValueError):
    """Input that cannot be used: the file, the field, its value, what is wrong with it, and what to write instead."""

    def __init__(self, file: Path, field: str, value: object, problem: str, remedy: str) -> None:
        super().__init__(f"{file}: {field}: {_short(value)} {problem}; {remedy}")
        self.file = file
        self.field = field
        self.value = value
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Document:
    """One object and where it comes from."""

    file: Path
    obj: dict[str, Any]

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.obj["kind"])

    @property
    def group(self) -> str:
        """Its API group, empty for the core one."""
        group, slash, _ = str(self.obj["apiVersion"]).partition("/")
        return group if slash else ""

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.obj["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Its namespace, `default` when it names none."""
        return str(self.obj["metadata"].get("namespace") or "default")

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files meant by paths. Raises BadInput for one that is not there or holds none."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(file for file in path.glob("*") if file.suffix in SUFFIXES) if path.is_dir() else [path]
        if not inside or not inside[0].is_file():
            problem = "is not there" if not path.exists() else "holds no YAML"
            raise BadInput(path, "-f", str(path), problem, "name a YAML file, or a directory with some")
        found.extend(inside)
    return found


def read_documents(paths: Iterable[Path]) -> list[Document]:
    """Every object of the files, in order. Raises BadInput, also when there is none at all."""
    files = files_of(paths)
    found = [document for file in files for document in parse_documents(file, read_text(file))]
    if not found:
        raise BadInput(files[0], "document", "", "is all there is: no object", "write apiVersion, kind and metadata")
    return found


def read_text(file: Path) -> str:
    """The text of a file. Raises BadInput."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(file, "file", str(file), f"cannot be read ({error})", "name a readable text file") from error


def parse_documents(file: Path, text: str) -> Iterator[Document]:
    """The objects in a text; `file` is for messages. Empty documents are left out. Raises BadInput."""
    for content in parse_yaml(file, text):
        yield from _unpacked(file, content)


def parse_yaml(file: Path, text: str) -> list[Any]:
    """The contents of a text's YAML documents but empty ones. Raises BadInput naming line and column."""
    try:
        return [content for content in yaml.safe_load_all(text) if content is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        raise BadInput(file, where, "", f"is no YAML ({error.problem})", "correct the text there") from error
    except yaml.YAMLError as error:
        raise BadInput(file, "text", "", f"is no YAML ({error})", "correct the text") from error


def _unpacked(file: Path, content: Any) -> Iterator[Document]:
    if not isinstance(content, dict):
        raise BadInput(file, "document", content, "is no object", "write apiVersion, kind and metadata")
    if str(content.get("kind", "")).endswith("List") and isinstance(content.get("items"), list):
        for item in content["items"]:
            yield from _unpacked(file, item)
        return
    for field in ("apiVersion", "kind"):
        if not isinstance(content.get(field), str):
            raise BadInput(file, field, content.get(field), "is no text", f"give each object its {field}")
    metadata = content.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise BadInput(file, "metadata.name", metadata, "has no name", f"name the {content['kind']}")
    yield Document(file, content)


def _short(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
