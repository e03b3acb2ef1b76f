"""The samples of a page of metrics in Prometheus' text format, of the few families that a reader wants. Pure.

Pages come from whoever listens, so nothing in one is believed before it was matched, what does not match is left out,
and no line costs more than its length: lines of other families are passed over in some 300 ns each.
"""

import re
from collections.abc import Container, Iterator, Mapping
from typing import Final, NamedTuple

LONGEST_LINE: Final = 8192
"""Characters; a longer line is no sample. vLLM's longest, its configuration of the KV cache, has some 1,500."""

_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL: Final = re.compile(r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"([^"\\]*(?:\\.[^"\\]*)*)"[ \t]*(?:,|(?=\}))')
_END: Final = re.compile(r"[ \t]*\}")
_VALUE: Final = re.compile(r"[ \t]*([^ \t{}]+)(?:[ \t]+-?[0-9]+)?[ \t]*$")
_ESCAPED: Final = re.compile(r"\\(.)")
_MEANT: Final = {"n": "\n"}


class Sample(NamedTuple):
    """One line: the name that it begins with, its labels, its value (which may be NaN or infinite)."""

    name: str
    labels: Mapping[str, str]
    value: float


def samples(page: str, names: Container[str]) -> Iterator[Sample]:
    """The page's samples of those names, in its order. A histogram's are named with `_bucket`, `_sum`, `_count`."""
    for line in page.split("\n"):  # splitlines would also break at what a label's value may hold
        found = _NAME.match(line)
        if found is not None and found[0] in names and len(line) <= LONGEST_LINE:
            sample = _sample(found[0], line.rstrip("\r"), found.end())
            if sample is not None:
                yield sample


def _sample(name: str, line: str, at: int) -> Sample | None:
    labels: dict[str, str] = {}
    if line[at : at + 1] == "{":
        at += 1
        while (end := _END.match(line, at)) is None:
            label = _LABEL.match(line, at)
            if label is None:
                return None
            labels[label[1]] = _unescaped(label[2])
            at = label.end()
        at = end.end()
    value = _VALUE.match(line, at)
    if value is None:
        return None
    try:
        return Sample(name, labels, float(value[1]))
    except ValueError:
        return None


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: _MEANT.get(found[1], found[1]), text) if "\\" in text else text
