"""Published traces of a cluster: nodes and pods as comma-separated values, with openb's columns.

Columns of nodes: ``sn``, ``cpu_milli``, ``memory_mib``, ``gpu`` (a count), ``model``. Of pods: ``name``,
``cpu_milli``, ``memory_mib``, ``num_gpu``, ``gpu_milli`` (of each GPU, 1000 for a whole one), and optionally
``gpu_spec`` (models that suit, separated by ``|``). Others are passed over.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controller.placement.packing.host import WHOLE, Ask

_NODE_COLUMNS: Final = ("sn", "cpu_milli", "memory_mib", "gpu", "model")
_POD_COLUMNS: Final = ("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli")
#: More than any machine has: catches a count that is an amount.
_MOST_GPUS: Final = 64


class TraceError(ValueError):
    """A file that is no trace: which line and column, what is there, and what should be."""


@dataclass(frozen=True, slots=True)
class TraceNode:
    """A node of a trace, as it is when it is empty."""

    name: str
    cpu_milli: int
    memory_mib: int
    gpus: int
    model: str


@dataclass(frozen=True, slots=True)
class _Row:
    source: str
    line: int
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        found = self.cells[column]
        if not found:
            raise TraceError(f"{self.source} line {self.line}: {column} is empty; give one")
        return found

    def number(self, column: str, most: int | None = None) -> int:
        text = self.cells[column]
        if not text.isascii() or not text.isdigit() or len(text) > 15:
            raise TraceError(f"{self.source} line {self.line}: {column} is {text!r}; give a whole number, 0 or more")
        if most is not None and int(text) > most:
            raise TraceError(f"{self.source} line {self.line}: {column} is {text}; give {most} at most")
        return int(text)


def trace_nodes(source: str, lines: Iterable[str]) -> Sequence[TraceNode]:
    """The nodes of a file of that name. Raises TraceError."""
    nodes: dict[str, TraceNode] = {}
    for row in _rows(source, lines, _NODE_COLUMNS):
        name = row.text("sn")
        if name in nodes:
            raise TraceError(f"{source} line {row.line}: sn {name} is there twice; give every node a name of its own")
        gpus = row.number("gpu", _MOST_GPUS)
        model = row.text("model") if gpus else ""
        nodes[name] = TraceNode(name, row.number("cpu_milli"), row.number("memory_mib"), gpus, model)
    if not any(node.gpus for node in nodes.values()):
        raise TraceError(f"{source}: no node has a GPU; give at least one with gpu above 0")
    return tuple(nodes.values())


def trace_pods(source: str, lines: Iterable[str]) -> Sequence[Ask]:
    """What the pods of a file of that name ask for, in its order. Raises TraceError."""
    pods = tuple(_ask(row) for row in _rows(source, lines, _POD_COLUMNS))
    if not any(pod.gpu_milli for pod in pods):
        raise TraceError(f"{source}: no pod asks for GPU; give at least one with num_gpu above 0")
    return pods


def _ask(row: _Row) -> Ask:
    count = row.number("num_gpu", _MOST_GPUS)
    milli = row.number("gpu_milli", WHOLE)
    if count and not milli:
        raise TraceError(f"{row.source} line {row.line}: gpu_milli is 0 with num_gpu {count}; give 1 to {WHOLE}")
    if count > 1 and milli < WHOLE:
        raise TraceError(
            f"{row.source} line {row.line}: gpu_milli is {milli} with num_gpu {count}; "
            f"pods of several GPUs take whole ones, give {WHOLE}"
        )
    models = frozenset(filter(None, row.cells.get("gpu_spec", "").split("|"))) if count else frozenset[str]()
    return Ask(row.number("cpu_milli"), row.number("memory_mib"), count, milli if count else 0, models)


def _rows(source: str, lines: Iterable[str], columns: Sequence[str]) -> Iterator[_Row]:
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, [])
        missing = [column for column in columns if column not in header]
        if missing:
            raise TraceError(
                f"{source}: the first line has not the columns {', '.join(missing)}; give {','.join(columns)}"
            )
        for cells in reader:
            if len(cells) != len(header):
                raise TraceError(
                    f"{source} line {reader.line_num}: {len(cells)} cells, the first line names {len(header)}; "
                    "give one a column"
                )
            yield _Row(source, reader.line_num, dict(zip(header, map(str.strip, cells), strict=True)))
    except csv.Error as error:
        raise TraceError(f"{source} line {reader.line_num}: {error}; give comma-separated values") from error
