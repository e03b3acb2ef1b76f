"""What a RUN may bring into the image: what is locked, made here, or Debian's by apt. Pure.

Each command is held against a table of those that are known (`allowed.py`); what is not in it is refused by its word.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from e2e.image.allowed import COMMANDS, VARIABLES, WORKDIRS, Allowed
from e2e.image.dockerfile import Arg, Copy, Env, Run, Stage, Workdir
from e2e.image.shell import NotPlain, ShellCommand, commands

_TABLE: Final = "e2e/image/allowed.py"
_REMEDY: Final = (
    "take distributions by uv.lock (/uv/bin/uv sync --locked) and Debian's packages by name (apt-get install), or let "
    f"it in by a row of {_TABLE}"
)


def unlocked(stage: Stage) -> Iterator[str]:
    """A sentence for each thing that may be another tomorrow, or is not known: line, instruction, word, remedy."""
    for step in stage.steps:
        match step.instruction:
            case Run(words):
                found = _of_run(words)
            case Env(values):
                found = (f"ENV {told}" for told in _variables(tuple(values.items())))
            case Arg(name, default):
                found = (f"ARG {told}" for told in _variables(((name, default),)))
            case Workdir(path) if path not in WORKDIRS:
                found = iter([f"WORKDIR {path}: programs may read their settings there: use {', '.join(WORKDIRS)}"])
            case Copy(_, destination, None) if destination.startswith("/") or ".." in destination.split("/"):
                found = iter(
                    [f"COPY to {destination}: programs may read their settings there: name a folder below WORKDIR"]
                )
            case _:
                continue
        yield from (f"line {step.line}: {told}" for told in found)


def _of_run(words: tuple[str, ...]) -> Iterator[str]:
    """What is wrong with a RUN, which is a sentence of the shell's or one command."""
    if words[:2] != ("/bin/sh", "-c"):
        yield from _of_command(ShellCommand(words), [])
        return
    try:
        found = commands(words[2])
    except NotPlain as strange:
        yield f"RUN: {strange}"
        return
    before: list[str] = []
    for command in found:
        yield from _of_command(command, before)
        before.append(" ".join(command.words))


def _of_command(command: ShellCommand, before: Sequence[str]) -> Iterator[str]:
    rows = [row for row in COMMANDS if command.words[: len(row.begins)] == row.begins]
    if not rows:
        yield f"RUN {' '.join(command.words[:3])}: {_strange(command.words)} is not known here: {_REMEDY}"
        return
    (row,) = rows
    name = " ".join(row.begins)
    problems = [
        *(f"{told}" for told in _variables(command.variables)),
        *_words(row, command.words[len(row.begins) :]),
        *_output(row, command.into),
    ]
    if row.after and not any(f"{each} ".startswith(f"{row.after[0]} ") for each in before):
        problems.append(f"{row.after[0]} is not before it in the same RUN, {row.after[1]}: join them by &&")
    yield from (f"RUN {name}: {problem}" for problem in problems)


def _strange(words: Sequence[str]) -> str:
    """The first word by which a command differs from every known one."""
    alike = max(_alike(words, row.begins) for row in COMMANDS)
    return words[min(alike, len(words) - 1)] if words else "nothing"


def _alike(words: Sequence[str], begins: Sequence[str]) -> int:
    return next((n for n, (one, other) in enumerate(zip(words, begins, strict=False)) if one != other), len(begins))


def _words(row: Allowed, words: Sequence[str]) -> Iterator[str]:
    given, operands, pending = set[str](), list[str](), iter(words)
    for word in pending:
        option, equals, value = word.partition("=")
        if not word.startswith("-"):
            operands.append(word)
            continue
        given.add(option)
        if option not in row.options or (equals and row.options[option] is None):
            known = ", ".join(row.options) or "none"
            yield f"{word} is not known here: leave it out, or let it in in {_TABLE}; known are: {known}"
        elif (pattern := row.options[option]) is not None:
            value = value if equals else next(pending, "")
            if not re.fullmatch(pattern, value):
                yield f"{option} {value}: its value has to be {pattern}: write that, or change {_TABLE}"
    for option, without in row.needed.items():
        if option not in given:
            yield f"without {option} {without}: add it"
    yield from _operands(row, operands)


def _operands(row: Allowed, operands: Sequence[str]) -> Iterator[str]:
    wanted = [*row.operands, *row.operands[-1:] * (len(operands) - len(row.operands))]
    if len(operands) < len(wanted):
        yield f"{' '.join(operands) or 'nothing'} is too little: it has to be followed by {' '.join(wanted)}"
    for word, pattern in zip(operands, wanted, strict=False):
        if not re.fullmatch(pattern, word):
            yield f"{word} is not known here: what stands there has to be {pattern}: write that, or change {_TABLE}"
    for word in operands[len(wanted) :]:
        yield f"{word} is not known here: leave it out, or let it in in {_TABLE}"


def _output(row: Allowed, into: str | None) -> Iterator[str]:
    if into is not None and not (row.into and re.fullmatch(row.into, into)):
        yield f"{into}: its output goes {row.into or 'to no file'}: leave it out, or change {_TABLE}"


def _variables(pairs: Sequence[tuple[str, str | None]]) -> Iterator[str]:
    for name, value in pairs:
        if name not in VARIABLES:
            yield f"{name}: a variable can lead pip, uv and apt elsewhere: leave it out, or let it in in {_TABLE}"
        elif value is not None and not re.fullmatch(VARIABLES[name], value):
            yield f"{name}={value}: its value has to be {VARIABLES[name]}: write that, or change {_TABLE}"
