"""Reads the subset of a Dockerfile's language that this builder carries out. Pure.

A line is told from the next by a missing backslash; comments may stand between continued lines. Whatever is not known,
flags included, is refused with its line: nothing is skipped in silence.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from e2e.image.errors import DockerfileError


@dataclass(frozen=True, slots=True)
class Arg:
    """ARG: a variable of the build, with its default; None: it has only what an ARG before the first FROM gives it."""

    name: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Env:
    """ENV: variables of later steps and of the container."""

    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Label:
    """LABEL: what the image says of itself."""

    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Workdir:
    """WORKDIR: where later steps and the container begin."""

    path: str


@dataclass(frozen=True, slots=True)
class User:
    """USER: whom later steps and the container run as, "uid" or "uid:gid"."""

    text: str


@dataclass(frozen=True, slots=True)
class Entrypoint:
    """ENTRYPOINT, as a list of words."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cmd:
    """CMD, as a list of words."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """RUN: a command; one that was written as a sentence is the shell's."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY: from the context, or from another stage."""

    sources: tuple[str, ...]
    destination: str
    stage: str | None


Instruction = Arg | Env | Label | Workdir | User | Entrypoint | Cmd | Run | Copy


@dataclass(frozen=True, slots=True)
class Step:
    """An instruction and the line it begins on."""

    line: int
    instruction: Instruction


@dataclass(frozen=True, slots=True)
class Stage:
    """From one FROM to the next. `base`: an earlier stage's name, or an image's."""

    name: str
    base: str
    line: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """`arguments`: the ARGs before the first FROM. The last stage is the image."""

    arguments: Mapping[str, str]
    stages: tuple[Stage, ...]


KNOWN: Final = ("FROM", "ARG", "ENV", "LABEL", "WORKDIR", "USER", "ENTRYPOINT", "CMD", "RUN", "COPY")
_DIRECTIVE: Final = re.compile(r"#\s*(syntax|escape|check)\s*=", re.IGNORECASE)
_VARIABLE: Final = re.compile(r"\\\$|\$(?:(\w+)|\{(\w+)(?::-([^}]*))?\})")


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile. Raises DockerfileError for what is wrong in it, or unknown here."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line, word, rest in _instructions(text):
        if word == "FROM":
            stages.append(_stage(line, rest, arguments, stages))
            continue
        instruction = _instruction(line, word, rest)
        if stages:
            last = stages.pop()
            stages.append(Stage(last.name, last.base, last.line, (*last.steps, Step(line, instruction))))
        elif isinstance(instruction, Arg) and instruction.default is not None:
            arguments[instruction.name] = instruction.default
        else:
            raise DockerfileError(line, f"{word} stands before the first FROM: only ARG with a default may")
    if not stages:
        raise DockerfileError(1, "there is no FROM: begin with one")
    return Dockerfile(MappingProxyType(arguments), tuple(stages))


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$NAME`, `${NAME}` and `${NAME:-default}` filled in; what is not set is empty, and `\\$` is a dollar sign."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "\\$":
            return "$"
        return variables.get(match[1] or match[2], "") or match[3] or ""

    return _VARIABLE.sub(value, text)


def _instructions(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, word and rest of each instruction, its lines joined."""
    begun, joined = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        if directive := _DIRECTIVE.match(line.lstrip()):
            raise DockerfileError(
                number, f"# {directive[1]}=: it changes what a Docker engine reads in the rest: leave it out"
            )
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        begun = begun or number
        if line.rstrip().endswith("\\"):
            joined += _continued(number, line.rstrip()[:-1]) + " "
            continue
        word, _, rest = (joined + line).strip().partition(" ")
        yield begun, word.upper(), rest.strip()
        begun, joined = 0, ""
    if joined:
        raise DockerfileError(begun, "the last line goes on with a backslash, and nothing follows")


def _continued(number: int, line: str) -> str:
    """A line that goes on. Raises DockerfileError where its last word might, too: an engine puts no space there."""
    if line[-1:].strip():
        raise DockerfileError(
            number, f"{line.split()[-1]}\\: a word may go on in the next line: put a space before the backslash"
        )
    return line


def _stage(line: int, rest: str, arguments: Mapping[str, str], earlier: Sequence[Stage]) -> Stage:
    words = expand(rest, arguments).split()
    match words:
        case [base]:
            name = str(len(earlier))
        case [base, keyword, name] if keyword.upper() == "AS":
            pass
        case _:
            raise DockerfileError(line, f"FROM {rest}: only FROM IMAGE and FROM IMAGE AS NAME are known here")
    return Stage(name, base, line, ())


def _instruction(line: int, word: str, rest: str) -> Instruction:
    if word not in KNOWN:
        why = "it downloads and unpacks what no lock has: use COPY" if word == "ADD" else f"use {', '.join(KNOWN)}"
        raise DockerfileError(line, f"{word} is not known here: {why}")
    if rest.startswith("--") and not (word == "COPY" and rest.startswith("--from=")):
        raise DockerfileError(line, f"{word} {rest.split()[0]}: only COPY --from=STAGE is known here")
    return _READERS[word](line, rest)


def _arg(line: int, rest: str) -> Arg:
    name, given, default = rest.partition("=")
    return Arg(name, " ".join(_split(line, default)) if given else None)


def _run(line: int, rest: str) -> Run:
    if rest.startswith("<<"):
        raise DockerfileError(line, "RUN <<: here-documents are not known here: join the commands with &&")
    return Run(_list(line, rest) if rest.startswith("[") else ("/bin/sh", "-c", rest))


def _words(line: int, rest: str) -> tuple[str, ...]:
    if not rest.startswith("["):
        raise DockerfileError(line, f'{rest}: write it as a list, ["..."]: a shell between would get the signals')
    return _list(line, rest)


def _copy(line: int, rest: str) -> Copy:
    words = _list(line, rest) if rest.startswith("[") else tuple(rest.split())
    stage = None
    if words and words[0].startswith("--from="):
        stage, words = words[0].removeprefix("--from="), words[1:]
    flags = [word for word in words if word.startswith("--")]
    if flags:
        raise DockerfileError(line, f"COPY {flags[0]}: only COPY --from=STAGE is known here")
    if len(words) < 2:
        raise DockerfileError(line, f"COPY {rest}: name what to copy, and where to")
    *sources, destination = words
    if len(sources) > 1 and not destination.endswith("/"):
        raise DockerfileError(line, f"COPY to {destination}: several sources need a folder: end it with /")
    return Copy(tuple(sources), destination, stage)


def _pairs(line: int, rest: str) -> Mapping[str, str]:
    pairs = {}
    for part in _split(line, rest):
        name, equals, value = part.partition("=")
        if not equals or not name:
            raise DockerfileError(line, f"{part}: write NAME=VALUE")
        pairs[name] = value
    return MappingProxyType(pairs)


def _split(line: int, text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise DockerfileError(line, f"{text}: {error}") from error


def _list(line: int, text: str) -> tuple[str, ...]:
    try:
        words = json.loads(text)
    except ValueError as error:
        raise DockerfileError(line, f"{text}: a list is JSON, with double quotes ({error})") from error
    if not all(isinstance(word, str) for word in words):
        raise DockerfileError(line, f"{text}: a list of texts is needed")
    return tuple(words)


_READERS: Final[Mapping[str, Callable[[int, str], Instruction]]] = MappingProxyType(
    {
        "ARG": _arg,
        "ENV": lambda line, rest: Env(_pairs(line, rest)),
        "LABEL": lambda line, rest: Label(_pairs(line, rest)),
        "WORKDIR": lambda _, rest: Workdir(rest),
        "USER": lambda _, rest: User(rest),
        "ENTRYPOINT": lambda line, rest: Entrypoint(_words(line, rest)),
        "CMD": lambda line, rest: Cmd(_words(line, rest)),
        "RUN": _run,
        "COPY": _copy,
    }
)
