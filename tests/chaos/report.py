"""What a run of chaos says at its end: a table on the terminal, and everything as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.chaos.run import Outcome, lacking

NAME = "random"
_SHOWN = 20


def again(outcome: Outcome) -> str:
    """The command that plays the same faults and deeds at the same times."""
    settings = outcome.settings
    return f"make chaos SWEEP=random SEED={settings.seed} DURATION={settings.seconds:g}"


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Everything."""
    settings = outcome.settings
    return {
        "name": NAME,
        "seed": settings.seed,
        "seconds": settings.seconds,
        "again": again(outcome),
        "injected": outcome.injected,
        "deeds": outcome.deeds,
        "skipped": outcome.skipped,
        "ended_alone": outcome.ended_alone,
        "judged": outcome.judged,
        "answers": outcome.answers,
        "settled_seconds": outcome.settled_seconds,
        "lacking": lacking(outcome),
        "violations": [asdict(one) for one in outcome.violations],
        "faults": [asdict(one) for one in outcome.faults],
    }


def write(outcome: Outcome, folder: Path) -> str:
    """Write it to random.json in the folder; the same in short, as JSON in one line."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = as_json(outcome)
    (folder / f"{NAME}.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    short = {
        key: whole[key] for key in ("seed", "seconds", "injected", "deeds", "judged", "settled_seconds", "lacking")
    }
    return json.dumps(short | {"violations": len(outcome.violations)})


def show(outcome: Outcome, console: Console) -> None:
    """The table, and every violation."""
    table = Table(title=f"chaos, seed {outcome.settings.seed}, {outcome.settings.seconds:g} s")
    for heading in ("", "what", "how often"):
        table.add_column(heading, justify="right" if heading == "how often" else "left")
    groups: dict[str, Mapping[str, int]] = {
        "faults": outcome.injected,
        "deeds": outcome.deeds,
        "too late for": outcome.skipped,
        "ended on its own": outcome.ended_alone,
        "judged": outcome.judged,
        "requests ended": outcome.answers,
    }
    for group, counts in groups.items():
        for number, (what, count) in enumerate(sorted(counts.items())):
            table.add_row("" if number else group, what, str(count))
        table.add_section()
    found = {str(number): 0 for number in range(1, 9)}
    for violation in outcome.violations:
        found[str(violation.invariant)] += 1
    for number, (invariant, count) in enumerate(found.items()):
        table.add_row("" if number else "violations", f"of invariant {invariant}", str(count))
    console.print(table)
    for violation in outcome.violations[:_SHOWN]:
        console.print(f"{violation.at:.1f} {violation}", markup=False, highlight=False)
    for text in lacking(outcome):
        console.print(f"shows too little: {text}", markup=False, highlight=False)
    if len(outcome.violations) > _SHOWN:
        console.print(f"... and {len(outcome.violations) - _SHOWN} more in {NAME}.json", highlight=False)
