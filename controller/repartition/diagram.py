"""The transition table for readers: a Mermaid state diagram, and tables that need no renderer.

`filled` writes them into a page, between comments `<!-- phases: NAME -->` and `<!-- phases: end -->`.
"""

import re
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Final

from controller.repartition.phases import DEADLINE_SECONDS, MEANINGS, TERMINAL, TRANSITIONS, Event, Phase


def state_diagram() -> str:
    """Mermaid's state diagram: an arrow a pair of phases, with every event that leads from one to the other."""
    lines = ["stateDiagram-v2", f"    [*] --> {Phase.PENDING}"]
    arrows: dict[tuple[Phase, Phase], list[Event]] = {}
    for (phase, event), target in TRANSITIONS.items():
        arrows.setdefault((phase, target), []).append(event)
    lines += [f"    {phase} --> {target}: {', '.join(events)}" for (phase, target), events in arrows.items()]
    lines += [f"    {phase} --> [*]" for phase in Phase if phase in TERMINAL]
    return "\n".join(lines)


def phase_table() -> str:
    """Every phase with its deadline and where each event leads, as a Markdown table."""
    lines = ["| phase | at most | event -> next phase |", "|---|---|---|"]
    for phase, pairs in groupby(TRANSITIONS.items(), key=lambda pair: pair[0][0]):
        ways = ", ".join(f"{event} -> {target}" for (_, event), target in pairs)
        lines.append(f"| {phase} | {_deadline(phase)} | {ways} |")
    lines += [f"| {phase} | | the end |" for phase in Phase if phase in TERMINAL]
    return "\n".join(lines)


def event_table() -> str:
    """Every event with its meaning, as a Markdown table."""
    return "\n".join(["| event | means |", "|---|---|", *(f"| {event} | {MEANINGS[event]} |" for event in Event)])


def _deadline(phase: Phase) -> str:
    seconds = DEADLINE_SECONDS[phase]
    if seconds is not None:
        return f"{seconds / 60:g} min"
    return "until a person decides" if phase is Phase.AWAITING_APPROVAL else "until the rules let it begin"


_BLOCKS: Final[Mapping[str, Callable[[], str]]] = {
    "diagram": lambda: f"```mermaid\n{state_diagram()}\n```",
    "table": phase_table,
    "events": event_table,
}
_BLOCK = re.compile(r"(<!-- phases: (\w+) -->\n).*?(<!-- phases: end -->)", re.DOTALL)


def filled(page: str) -> str:
    """The page with its blocks as the table has them now. Raises KeyError for a block of another name."""
    return _BLOCK.sub(lambda found: f"{found[1]}{_BLOCKS[found[2]]()}\n{found[3]}", page)
