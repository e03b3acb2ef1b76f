"""Kubeconfig files, merged as kubectl does: of each named entry, and of current-context, the first one counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from controller.runtime.client.configuration import ConfigurationError

#: libyaml reads ten times as fast; a package that was built without it still reads.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FIELDS: Final = {"contexts": "context", "clusters": "cluster", "users": "user"}


@dataclass(frozen=True, slots=True)
class Part:
    """A mapping of a kubeconfig, the file it stands in (paths in it begin there), and what people call it."""

    path: Path
    label: str
    fields: dict[str, Any]

    def text(self, field: str) -> str | None:
        """The text in `field`, None when it is absent or empty. Raises ConfigurationError for anything else."""
        value = self.fields.get(field)
        if value is not None and not isinstance(value, str):
            raise self.wrong(field, f"{_kind(value)}; give text, in quotes if need be")
        return value or None

    def part(self, field: str) -> "Part":
        """The mapping in `field`, empty when it is absent."""
        value = self.fields.get(field)
        if value is not None and not isinstance(value, dict):
            raise self.wrong(field, f"{_kind(value)}; give a mapping")
        return Part(self.path, f"{self.label}: {field}", value or {})

    def parts(self, field: str) -> list["Part"]:
        """The mappings listed in `field`."""
        return [self._item(field, number, value) for number, value in enumerate(self.items(field))]

    def items(self, field: str) -> list[Any]:
        """What is listed in `field`."""
        value = self.fields.get(field)
        if value is not None and not isinstance(value, list):
            raise self.wrong(field, f"{_kind(value)}; give a list")
        return value or []

    def wrong(self, field: str, what: str) -> ConfigurationError:
        """The error to raise about `field`; `what` is wrong with it, and the remedy."""
        return ConfigurationError(f"{self.label}: {field}: {what}")

    def _item(self, field: str, number: int, value: Any) -> "Part":
        if not isinstance(value, dict):
            raise self.wrong(f"{field}[{number}]", f"{_kind(value)}; give a mapping")
        return Part(self.path, f"{self.label}: {field}[{number}]", value)


@dataclass(frozen=True, slots=True)
class Merged:
    """Some kubeconfigs as one. `files`: those that are there, in their order."""

    files: tuple[Path, ...]
    current_context: str | None
    sections: dict[str, dict[str, Part]]

    def entry(self, section: str, name: str | None) -> Part:
        """The entry `name` of `section`. Raises ConfigurationError when there is none."""
        if name is None or name not in self.sections[section]:
            files = ", ".join(map(str, self.files))
            raise ConfigurationError(f"{files}: no entry {name!r} in {section}; correct the name")
        return self.sections[section][name]


def merge(paths: Sequence[Path]) -> Merged:
    """The kubeconfigs at `paths` as one; of several, those that are missing are passed over.

    Raises ConfigurationError when none is there, or one is no kubeconfig.
    """
    files = tuple(path for path in paths if len(paths) == 1 or path.exists())
    if not files:
        raise ConfigurationError(f"KUBECONFIG {', '.join(map(str, paths))}: no such files; name one that is there")
    tops = [Part(path, str(path), _document(path)) for path in files]
    sections: dict[str, dict[str, Part]] = {section: {} for section in _FIELDS}
    for top in tops:
        for section, entries in sections.items():
            for entry in top.parts(section):
                name = entry.text("name") or ""
                part = entry.part(_FIELDS[section])
                entries.setdefault(name, Part(top.path, f"{top.path}: {_FIELDS[section]} {name!r}", part.fields))
    current = next(filter(None, (top.text("current-context") for top in tops)), None)
    return Merged(files, current, sections)


def _document(path: Path) -> dict[str, Any]:
    problem = ""
    try:
        document = yaml.load(path.read_text(), Loader=_LOADER)  # noqa: S506 - either reads plain values alone
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}); give a kubeconfig") from error
    except UnicodeDecodeError as error:
        problem = error.reason
    except yaml.YAMLError as error:
        problem = _place(error)
    # Past the handler: the parser's own text quotes the line at fault, which may be one with a token.
    if problem:
        raise ConfigurationError(f"{path}: not YAML ({problem}); give a kubeconfig")
    if document is not None and not isinstance(document, dict):
        raise ConfigurationError(f"{path}: not a kubeconfig (no mapping at the top)")
    return document or {}


def _place(error: yaml.YAMLError) -> str:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark is not None else type(error).__name__


def _kind(value: Any) -> str:
    for kind, said in ((dict, "a mapping"), (list, "a list"), (str, "text")):
        if isinstance(value, kind):
            return said
    return f"a value of type {type(value).__name__}"
