"""YAML files as a person gives them to a command: documents that remember where they stand.

A directory means the `.yaml`, `.yml` and `.json` files directly in it, by name, as kubectl reads one, and `-` means
standard input. Objects of kind List are unpacked.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

SUFFIXES = (".yaml", ".yml", ".json")
STDIN: Final = Path("-")
"""Standard input, as a person names it."""
NO_VALUE: Final = object()
"""Stands where a value is in messages that are about none."""

MOST_BYTES: Final = 8 << 20
"""The largest file that is read. The API server takes 3 MiB in one request (``DefaultMaxRequestBodyBytes`` of its
generic server), so no object is larger; a file may hold several."""
MOST_EVENTS: Final = 400_000
"""What the parser may find in a file: a value, or the start or end of a list or map, each. A megabyte of schemas has
about 60,000; a list of a million numbers would take gigabytes and minutes to build."""

MOST_DEPTH: Final = 200
"""Levels of lists and maps within each other; schemas with much in them have about forty."""

#: libyaml reads ten times as fast; a package that was built without it still reads.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BadInput(ValueError):
    """Input that cannot be used: the file, the field, its value, what is wrong with it, and what to write instead."""

    def __init__(self, file: Path, field: str, value: object, problem: str, remedy: str) -> None:
        """`field` is empty where the file as a whole is meant; `value` is NO_VALUE where none is to be shown."""
        where = "standard input" if file == STDIN else file
        said = problem if value is NO_VALUE else f"{_short(value)} {problem}"
        super().__init__(f"{where}: {field}: {said}; {remedy}" if field else f"{where}: {said}; {remedy}")
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
        if path == STDIN:
            if path in found:
                raise BadInput(path, "-f", NO_VALUE, "is given twice", "give it once: it is read to its end")
            found.append(path)
            continue
        inside = sorted(file for file in path.glob("*") if file.suffix in SUFFIXES) if path.is_dir() else [path]
        if not inside or not inside[0].exists() or inside[0].is_dir():
            problem = "is not there" if not path.exists() else "holds no YAML"
            raise BadInput(path, "", NO_VALUE, problem, "name a YAML file, or a directory with some")
        found.extend(inside)
    return found


def read_documents(paths: Iterable[Path]) -> list[Document]:
    """Every object of the files, in order. Raises BadInput, also when there is none at all."""
    files = files_of(paths)
    found = [document for file in files for document in parse_documents(file, read_text(file))]
    if not found:
        raise BadInput(files[0], "", NO_VALUE, "no object is in it", "write apiVersion, kind and metadata")
    return found


def read_text(file: Path) -> str:
    """The text of a file. Raises BadInput, also for one of more than `MOST_BYTES`."""
    try:
        with nullcontext(sys.stdin.buffer) if file == STDIN else file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            problem = f"has more than {MOST_BYTES >> 20} MiB"
            raise BadInput(file, "", NO_VALUE, problem, "name a file of Kubernetes objects, or split it")
        return content.decode()
    except (OSError, UnicodeDecodeError) as error:
        problem = f"cannot be read ({getattr(error, 'strerror', None) or error})"
        raise BadInput(file, "", NO_VALUE, problem, "name a readable text file") from error


def parse_documents(file: Path, text: str) -> Iterator[Document]:
    """The objects in a text; `file` is for messages. Empty documents are left out. Raises BadInput."""
    for content in parse_yaml(file, text):
        yield from _unpacked(file, content)


def parse_yaml(file: Path, text: str) -> list[Any]:
    """The contents of a text's YAML documents but empty ones. Raises BadInput naming line and column."""
    try:
        _look_through(file, text)
        return [content for content in yaml.load_all(text, Loader=_LOADER) if content is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        remedy = "correct the text there, or name a YAML file"
        raise BadInput(file, where, NO_VALUE, f"is no YAML ({error.problem})", remedy) from error
    except yaml.YAMLError as error:
        raise BadInput(file, "", NO_VALUE, f"is no YAML ({error})", "name a YAML file") from error


def _look_through(file: Path, text: str) -> None:
    """Before it is built, for what is built of one byte can take a thousand. Raises BadInput, or what YAML raises."""
    depth = 0
    for seen, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if seen >= MOST_EVENTS or depth > MOST_DEPTH:
            problem = f"holds more than {MOST_EVENTS} values, or is nested more than {MOST_DEPTH} levels deep"
            raise BadInput(file, "", NO_VALUE, problem, "name a file of Kubernetes objects, or split it")


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
