"""What a page says that a command prints, compared with what it printed: word by word, but for what differs every time.

`...` on a line of its own stands for any lines. Ages, generated names, times and addresses match their like; letters of
boxes are left out, and so is how wide a table is.
"""

import re
from typing import Final

_BOX: Final = re.compile("[\u2500-\u257f]+")
_LIKE: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:\d+[smhd])+|<unknown>",  # ages
        r"aim-(?:group-)?[a-z0-9]{10}",  # claims
        r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d",  # addresses of GPUs
        r"[a-z0-9-]+?-[0-9a-f]{8}",  # plans
        r"[a-z0-9-]+?-[a-z0-9]{6,10}-[a-z0-9]{5}",  # pods
        r"[a-z0-9-]+?/aim-[a-z0-9]{10}",  # claims with their namespace
        r"\d+",  # counts and numbers of partitions
        r"created|configured|unchanged",
    )
)


def differs(said: str, printed: str) -> str | None:
    """The first line of `said` that `printed` has not, or None."""
    wanted, found = _lines(said), _lines(printed)
    return _differs(wanted, found)


def lacks(said: str, printed: str) -> str | None:
    """The first line of `said` that `printed` has nowhere, or None: also where a terminal broke it into two."""
    found = [word for line in _lines(printed) for word in line]
    for words in _lines(said):
        wanted = words[:-1] if words[-1] == "..." else words
        if not any(_alike(wanted, found[at : at + len(wanted)]) for at in range(len(found))):
            return " ".join(words)
    return None


def _differs(wanted: list[list[str]], found: list[list[str]]) -> str | None:
    at = 0
    skip = False
    for words in wanted:
        if words == ["..."]:
            skip = True
            continue
        rest = range(at, len(found) if skip else min(at + 1, len(found)))
        place = next((number for number in rest if _alike(words, found[number])), None)
        if place is None:
            return f"{' '.join(words)!r} in {[' '.join(line) for line in found[at : at + 12]]}"
        at, skip = place + 1, False
    return None if skip or at == len(found) else f"nothing is said of {' '.join(found[at])!r}"


def _lines(text: str) -> list[list[str]]:
    lines = (_BOX.sub(" ", line).split() for line in text.splitlines())
    return [words for words in lines if words]


def _alike(said: list[str], printed: list[str]) -> bool:
    if said and said[-1] == "...":
        said, printed = said[:-1], printed[: len(said) - 1]
    return len(said) == len(printed) and all(map(_same, said, printed))


def _same(said: str, printed: str) -> bool:
    return said == printed or any(one.fullmatch(said) and one.fullmatch(printed) for one in _LIKE)
