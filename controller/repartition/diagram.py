"""The transition table for readers: a Mermaid state diagram, and tables that need no renderer."""

from itertools import groupby

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
    return "until a person decides" if seconds is None else f"{seconds / 60:g} min"
