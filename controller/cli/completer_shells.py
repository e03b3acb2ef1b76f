"""The completer as shells ask it: a line in, a directive and a line for each candidate out.

The first line is `:files` where files are meant as well, else `:none`; kubectl has a form of its own.
"""

import shlex
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Final, TypeAlias

from controller.cli.completer import Completion

Ask: TypeAlias = Callable[[Sequence[str]], Completion]
"""What could follow on these words."""


class BadQuestion(ValueError):
    """Words after `aim-gpu __complete` with which no script of ours asks. The text says what is wrong with them."""


FILES: Final = ":files"
NONE: Final = ":none"
#: What kubectl takes at the end: 0: files as well, 4: no files; 2 more: no space after it.
_NO_SPACE, _NO_FILES = 2, 4
_SCRIPTS: Final = "the scripts of `aim-gpu completion` ask for it"


class Shell(StrEnum):
    """Shells that have a completion of ours."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def words_of(line: str) -> list[str]:
    """The words of a line as a shell splits it, without the program; the last one is being typed, maybe empty.

    A quote that is open still is part of the last word.
    """
    for closing in ("", "'", '"'):
        try:
            words = shlex.split(line + closing)
            break
        except ValueError:
            continue
    else:
        return [""]
    if not line or (line[-1].isspace() and not line.endswith("\\ ")):
        words.append("")
    return words[1:] or [""]


def for_bash(found: Completion, typed: str, breaks: str) -> list[str]:
    """Candidates as bash puts them in: what comes after the last of the characters at which it breaks words."""
    cut = max((typed.rfind(each) + 1 for each in "=:" if each in breaks), default=0)
    return [_directive(found), *(each.word[cut:] for each in found.candidates)]


def for_zsh(found: Completion) -> list[str]:
    """Candidates as `_describe` takes them, `word:help`."""
    shown = ((each.word.replace(":", "\\:"), each.help) for each in found.candidates)
    return [_directive(found), *(f"{word}:{told}" if told else word for word, told in shown)]


def for_fish(found: Completion) -> list[str]:
    """Candidates with what they are after a tab."""
    return [_directive(found), *_with_help(found)]


def for_kubectl(found: Completion) -> list[str]:
    """Candidates as kubectl takes them of a plugin's completer, with its number at the end."""
    goes_on = any(not each.complete for each in found.candidates)
    return [*_with_help(found), f":{(0 if found.files else _NO_FILES) + (_NO_SPACE if goes_on else 0)}"]


def _with_help(found: Completion) -> Iterable[str]:
    return [f"{each.word}\t{each.help}" if each.help else each.word for each in found.candidates]


def _directive(found: Completion) -> str:
    return FILES if found.files else NONE


def answer(arguments: Sequence[str], ask: Ask) -> list[str]:
    """What `aim-gpu __complete SHELL ...` answers: of bash the line and its word breaks, else the words.

    Raises BadQuestion.
    """
    shell, *rest = arguments or ("",)
    match shell:
        case Shell.BASH:
            if len(rest) != 2:
                raise BadQuestion(f"bash gives its line and its word breaks, {len(rest)} words came; {_SCRIPTS}")
            line, breaks = rest
            words = words_of(line)
            return for_bash(ask(words), words[-1], breaks)
        case Shell.ZSH:
            return for_zsh(ask(rest))
        case Shell.FISH:
            return for_fish(ask(rest))
        case _:
            raise BadQuestion(f"shell {shell!r} has no completion: use one of {', '.join(Shell)}; {_SCRIPTS}")
