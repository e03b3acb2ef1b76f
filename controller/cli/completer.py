"""What could follow on a command line: verbs, options, values, and names, those of the cluster within a time limit.

words so far -> the verb's own options and arguments -> candidates that begin as the last word does
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Names: TypeAlias = Callable[[str], Iterable[str]]
"""Given what is typed so far, names that could be meant."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A whole word that could stand there. `complete` False: it goes on, no space after it."""

    word: str
    help: str = ""
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Parameter:
    """An option (`names`), or an argument (none). `values`: all that it can be; `files`: it is a path.

    `flag`: it takes no value. `name`: what the program calls it. `several`: it can be given again and again.
    """

    name: str
    names: tuple[str, ...] = ()
    help: str = ""
    values: tuple[str, ...] = ()
    files: bool = False
    flag: bool = False
    several: bool = False


@dataclass(frozen=True, slots=True)
class Syntax:
    """What a verb takes. `commands`: those of a group, each with its own."""

    parameters: tuple[Parameter, ...] = ()
    commands: Mapping[str, "Syntax"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Completion:
    """Candidates, and whether files are meant as well."""

    candidates: tuple[Candidate, ...] = ()
    files: bool = False


NOTHING: Final = Completion()
_GOES_ON: Final = ("/", "=")


def complete(words: Sequence[str], verbs: Sequence[str], syntax: Callable[[str], Syntax], names: "Known") -> Completion:
    """What the last of the words, which is being typed, could become. `words`: those after the program's name."""
    if len(words) <= 1:
        return _begin(words[-1] if words else "", (*verbs, "--help"))
    verb = words[0]
    if verb not in verbs:
        return NOTHING
    found, rest = syntax(verb), list(words[1:])
    path = [verb]
    while found.commands and rest:
        if len(rest) == 1:
            return _begin(rest[0], (*found.commands, "--help"))
        path.append(rest.pop(0))
        if path[-1] not in found.commands:
            return NOTHING
        found = found.commands[path[-1]]
    return _of_verb(" ".join(path), rest, found.parameters, names)


def _of_verb(verb: str, words: Sequence[str], parameters: Sequence[Parameter], names: "Known") -> Completion:
    *before, last = words
    options = {name: each for each in parameters for name in each.names}
    given, waiting, plain = _read(before, options)
    if waiting is not None:
        return _values(verb, waiting, last, names, given)
    option, equals, typed = last.partition("=")
    if equals and option in options and not options[option].flag:
        found = _values(verb, options[option], typed, names, given)
        whole = (Candidate(f"{option}={each.word}", each.help, each.complete) for each in found.candidates)
        return Completion(tuple(whole), found.files)
    if last.startswith("-"):
        free = [each for each in parameters if each.names and (each.several or each.name not in given)]
        found_options = [Candidate(name, each.help) for each in free for name in each.names if name.startswith("--")]
        shown = (*found_options, Candidate("--help", "Show this message and exit."))
        return Completion(tuple(each for each in shown if each.word.startswith(last)))
    arguments = [each for each in parameters if not each.names]
    here = arguments[plain] if plain < len(arguments) else None
    if here is None and arguments and arguments[-1].several:
        here = arguments[-1]
    return _values(verb, here, last, names, given) if here is not None else NOTHING


def _read(words: Sequence[str], options: Mapping[str, Parameter]) -> tuple[dict[str, str], Parameter | None, int]:
    """What is given by name, the option that waits for its value, and how many arguments there are."""
    given: dict[str, str] = {}
    waiting: Parameter | None = None
    plain = 0
    for word in words:
        if waiting is not None:
            given[waiting.name] = word
            waiting = None
            continue
        name, equals, value = word.partition("=")
        option = options.get(name)
        if option is None:
            plain += not word.startswith("-")
        elif option.flag or equals:
            given[option.name] = value
        else:
            waiting = option
    return given, waiting, plain


def _values(verb: str, parameter: Parameter, typed: str, names: "Known", given: Mapping[str, str]) -> Completion:
    if parameter.values:
        return _begin(typed, parameter.values)
    known = names(verb, parameter.name, typed, given)
    if known is not None:
        return _begin(typed, known)
    return Completion(files=parameter.files)


Known: TypeAlias = Callable[[str, str, str, Mapping[str, str]], Iterable[str] | None]
"""Names for a parameter of a verb, given what is typed of it and what else is given; None for one that has none."""


def _begin(typed: str, words: Iterable[str]) -> Completion:
    found = (word for word in words if word.startswith(typed) and (word[:1] != "-" or typed))
    return Completion(tuple(Candidate(word, complete=not word.endswith(_GOES_ON)) for word in found))
