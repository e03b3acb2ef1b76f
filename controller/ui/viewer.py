"""What one person may see of the document: names of their namespaces, of all others counts. Pure.

Nodes, GPUs, modes and sizes are everybody's who is let in; a partition of somebody else says that it is held, and by
nobody's name. Texts of plans name pods, so they are for those who may read plans. Who may not list nodes is told how
many there are, and how many plans change them.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any, Final

from controller.ui.differences import Document, Section

Row = dict[str, Any]

#: What stands where somebody is not named.
SOMEBODY: Final = "somebody of another namespace"
_OF_NAMESPACES: Final = ("claims", "services")
_NAMESPACED: Final = re.compile(r"(?<![a-z0-9.-])([a-z0-9][a-z0-9-]*)/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose eyes these are. `namespaces`: where they may list claims and services, None for everywhere.

    `plans`, `nodes`, `profiles`: whether they may list RepartitionPlans, GPUNodes and ModelProfiles.
    """

    namespaces: frozenset[str] | None = None
    plans: bool = True
    nodes: bool = True
    profiles: bool = True

    def sees(self, namespace: str) -> bool:
        """Whether names of that namespace may be shown."""
        return self.namespaces is None or namespace in self.namespaces


EVERYTHING: Final = Viewer()


class Whole:
    """A document with its rows by namespace, which are grouped once for however many viewers."""

    def __init__(self, document: Document) -> None:
        self.document = document

    @cached_property
    def by_namespace(self) -> dict[str, dict[str, dict[str, Row]]]:
        """Of claims and services: rows by key, by namespace."""
        found: dict[str, dict[str, dict[str, Row]]] = {name: {} for name in _OF_NAMESPACES}
        for name, groups in found.items():
            for key, row in self.document.get(name, {}).items():
                groups.setdefault(row["namespace"], {})[key] = row
        return found

    @cached_property
    def waiting(self) -> int:
        """Claims that wait."""
        return _waiting(self.document.get("claims", {}).values())


class Sight:
    """What one viewer sees of one document after the other.

    A row that is the same object as last time is shown by the same object, too: so who follows a large fleet with many
    others costs what changed, and not all of it.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._nodes, self._plans = _Kept(lambda row: _node(row, viewer)), _Kept(_plan)

    def of(self, whole: Whole) -> Document:
        """The part of the document that the viewer may see, and in `others` how many rows they may not."""
        viewer, document = self._viewer, whole.document
        if viewer == EVERYTHING:
            return {**document, "others": {}}
        own = {name: self._own(whole, name) for name in _OF_NAMESPACES}
        hidden = {name: len(document.get(name, {})) - len(rows) for name, rows in own.items()}
        hidden["waiting"] = whole.waiting - _waiting(own["claims"].values())
        counts: Row = {name: count for name, count in hidden.items() if count}
        sections: dict[str, Any] = {**document, **own}
        if not viewer.nodes:
            hidden_sections = {name: len(document.get(name, {})) for name in ("nodes", "plans")}
            counts |= {name: count for name, count in hidden_sections.items() if count}
            return {**sections, "nodes": {}, "plans": {}, "others": counts}
        sections["nodes"] = self._nodes.rows(document.get("nodes", {}))
        if not viewer.plans:
            sections["plans"] = self._plans.rows(document.get("plans", {}))
        return {**sections, "others": counts}

    def _own(self, whole: Whole, name: str) -> Section:
        """Rows of the viewer's namespaces, sorted by key."""
        if self._viewer.namespaces is None:
            return whole.document.get(name, {})
        groups = whole.by_namespace[name]
        found = [groups[namespace] for namespace in self._viewer.namespaces if namespace in groups]
        return dict(sorted((item for rows in found for item in rows.items()), key=itemgetter(0)))


def visible(document: Document, viewer: Viewer) -> Document:
    """What a viewer sees of one document alone."""
    return Sight(viewer).of(Whole(document))


class _Kept:
    """Rows as they are shown, with the rows that they were made of."""

    def __init__(self, make: Callable[[Row], Row]) -> None:
        self._make = make
        self._rows: dict[str, tuple[Row, Row]] = {}

    def rows(self, rows: Section) -> dict[str, Row]:
        """Those of these."""
        known, self._rows = self._rows, {}
        for key, row in rows.items():
            before = known.get(key)
            self._rows[key] = before if before is not None and before[0] is row else (row, self._make(row))
        return {key: shown for key, (_, shown) in self._rows.items()}


def _waiting(claims: Iterable[Row]) -> int:
    return sum(row["waiting"] is not None for row in claims)


def unnamed(value: Any, viewer: Viewer, exists: Callable[[str], bool]) -> Any:
    """A JSON value whose texts name nobody in a namespace that exists and that the viewer does not see."""

    def hidden(found: re.Match[str]) -> str:
        return SOMEBODY if not viewer.sees(found[1]) and exists(found[1]) else found[0]

    if isinstance(value, str):
        return _NAMESPACED.sub(hidden, value)
    if isinstance(value, list):
        return [unnamed(each, viewer, exists) for each in value]
    if isinstance(value, dict):
        return {key: unnamed(each, viewer, exists) for key, each in value.items()}
    return value


def _node(row: Row, viewer: Viewer) -> Row:
    return {**row, "gpus": [_gpu(gpu, viewer) for gpu in row["gpus"]]}


def _gpu(gpu: Row, viewer: Viewer) -> Row:
    return {**gpu, "partitions": [_partition(one, viewer) for one in gpu["partitions"]]}


def _partition(one: Row, viewer: Viewer) -> Row:
    claim = one["claim"]
    return one if claim is None or viewer.sees(claim.partition("/")[0]) else {**one, "claim": None}


def _plan(row: Row) -> Row:
    """What it does to the hardware; whom it concerns is a number."""
    return {
        **row,
        "claim": None,
        "reason": "",
        "message": "",
        "gain": "",
        "cost": "",
        "moves": [{"pod": "", "before": "", "after": ""} for _ in row["moves"]],
        "steps": [{**step, "message": None} for step in row["steps"]],
    }
