"""Annotation keys that nobody reads, and the key that was probably meant.

Only keys that can be ours are spoken about: all under ``aim.amd.com/``, and those that name one of ours under a domain
that is a slip of the pen away. Other domains of AMD (``amd.com``, ``aim.eai.amd.com``) have keys of their own.
"""

import difflib
import re
from collections.abc import Mapping
from typing import Final

from api.group import (
    ASSIGNMENT_KEYS,
    CLAIM_LABEL,
    GROUP,
    MANAGED_LABEL,
    ONLY_IN_HUB,
    REQUEST_KEYS,
    SERVICE_LABEL,
)
from controller.translate.request import Problem

#: What may stand on an object; labels that were written as annotations too do no harm.
KNOWN_KEYS: Final = frozenset({*REQUEST_KEYS, *ASSIGNMENT_KEYS, ONLY_IN_HUB, MANAGED_LABEL, SERVICE_LABEL, CLAIM_LABEL})

#: Changes of one character by which a domain may miss ours: aim-amd.com, aim.amd.io, aim.amd.con.
MOST_DOMAIN_EDITS: Final = 2
#: Below this likeness (difflib's ratio) nothing is suggested; of two keys that have a word in common less will do.
LEAST_LIKENESS: Final = 0.65
LEAST_LIKENESS_WITH_A_WORD: Final = 0.55
#: A longer name is no slip of the pen, and comparing it would only cost time.
LONGEST_NAME: Final = 63

_NAMES: Final = {key.partition("/")[2]: key for key in (*REQUEST_KEYS, *ASSIGNMENT_KEYS)}
_REQUEST_NAMES: Final = frozenset(key.partition("/")[2] for key in REQUEST_KEYS)


def misspelt(annotations: Mapping[str, str]) -> tuple[Problem, ...]:
    """Every key that looks like ours and is none, by key; the remedy names the nearest right one."""
    return tuple(
        Problem(key, annotations[key], _remedy(key))
        for key in sorted(annotations)
        if key not in KNOWN_KEYS and _ours(key)
    )


def nearest_key(name: str) -> str | None:
    """The key that was probably meant by `name` (the part after the slash), None when none is like it."""
    words = _words(name[:LONGEST_NAME])
    written = "-".join(words)
    if written in _NAMES:
        return _NAMES[written]
    # "mode" is meant as partition-mode, though model-id shares more letters with it
    whole = [known for known in _NAMES if words and set(words) <= set(known.split("-"))]
    ranked = max(whole or _NAMES, key=lambda known: (_likeness(written, known), known))
    shared = not set(words).isdisjoint(ranked.split("-"))
    least = LEAST_LIKENESS_WITH_A_WORD if shared else LEAST_LIKENESS
    return _NAMES[ranked] if whole or _likeness(written, ranked) >= least else None


def _ours(key: str) -> bool:
    domain, slash, name = key.partition("/")
    if not slash:
        return False
    domain = domain.casefold()
    return domain == GROUP or ("-".join(_words(name)) in _NAMES and _near(domain))


def _near(domain: str) -> bool:
    return abs(len(domain) - len(GROUP)) <= MOST_DOMAIN_EDITS and _edits(domain, GROUP) <= MOST_DOMAIN_EDITS


def _remedy(key: str) -> str:
    nearest = nearest_key(key.partition("/")[2])
    if nearest is None:
        return f"is read by nobody; the keys are {', '.join(sorted(_REQUEST_NAMES))} under {GROUP}/"
    if nearest in ASSIGNMENT_KEYS:
        return f"is read by nobody; leave it out: the operator alone writes {nearest}"
    return f"is read by nobody; did you mean {nearest}?"


def _words(name: str) -> list[str]:
    """`maxModelLen`, `max_model_len` and `MAX.MODEL.LEN` are all max, model, len."""
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", name)
    return [word for word in re.split(r"[^a-z0-9]+", parted.lower()) if word]


def _likeness(left: str, right: str) -> float:
    return difflib.SequenceMatcher(None, left, right, autojunk=False).ratio()


def _edits(left: str, right: str) -> int:
    """The changes of one character (put in, left out, replaced) from one text to the other."""
    before = list(range(len(right) + 1))
    for above, one in enumerate(left, start=1):
        row = [above]
        for place, other in enumerate(right, start=1):
            row.append(min(before[place] + 1, row[-1] + 1, before[place - 1] + (one != other)))
        before = row
    return before[-1]
