"""The tables of metrics for readers, written from the tables of the code."""

from collections.abc import Iterable
from typing import Final

from controller.runtime.instrument import Instrument, Kind
from controller.telemetry.catalogue import OURS, PROCESSES, RUNTIMES

_UNITS: Final = {
    "1": "",
    "s": "seconds",
    "By": "bytes",
    "Cel": "degrees Celsius",
    "W": "watts",
    "By.s": "bytes times seconds",
}


def tables() -> dict[str, str]:
    """Each table by its name: metrics of every process, of several, of each alone, and the runtime's."""
    several = [one for one in OURS if 1 < len(one.processes) < len(PROCESSES)]
    found = {
        "metrics of every process": _table(one for one in OURS if set(one.processes) == set(PROCESSES)),
        "metrics of several processes": _table(several, processes=True),
    }
    for process in PROCESSES:
        found[f"metrics of the {process}"] = _table(one for one in OURS if one.processes == (process,))
    found["metrics of the runtime"] = _table(RUNTIMES, processes=True)
    found["buckets"] = _buckets((*OURS, *RUNTIMES))
    return found


def _table(instruments: Iterable[Instrument], *, processes: bool = False) -> str:
    head = ["metric", "kind", "labels", *(["of"] if processes else []), "what"]
    lines = [_row(head), _row(["---"] * len(head))]
    for one in instruments:
        unit = _UNITS[one.unit]
        kind = f"{one.kind.value}, {unit}" if unit else one.kind.value
        labels = ", ".join(f"`{label}`" for label in one.labels)
        cells = [f"`{one.exported_name}`", kind, labels, *([", ".join(one.processes)] if processes else [])]
        lines.append(_row([*cells, one.description.replace("|", "\\|")]))
    return "\n".join(lines)


def _buckets(instruments: Iterable[Instrument]) -> str:
    """Histograms by their edges."""
    by_edges: dict[tuple[float, ...], list[str]] = {}
    for one in instruments:
        if one.kind is Kind.HISTOGRAM:
            by_edges.setdefault(one.buckets, []).append(f"`{one.exported_name}`")
    lines = [_row(["histograms", "edges, seconds"]), _row(["---", "---"])]
    lines += [_row([", ".join(names), " ".join(f"{edge:g}" for edge in edges)]) for edges, names in by_edges.items()]
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
