from dataclasses import replace

from rich.console import Console, Group

from e2e.run.traffic.judgement import Judgement, Roles
from e2e.run.traffic.latencies import Figures
from e2e.run.traffic.live_table import live

ROLES = Roles("team/neighbour", "team/flooded", 4, 3, 5)
JUDGED = Judgement(
    3.0,
    5.0,
    100.0,
    2.0,
    20.0,
    30.0,
    most_flooded=3,
    most_together=5,
    kept=3.9,
    most_crowded=4,
    left_over=9,
    problems=(),
)
FIGURES = [
    Figures("team/a", 2, 1.25, 12.4, 99.6, 1200.0, 12_345.0, {}),
    Figures("team/b", 0, 0.0, None, None, None, None, {"QueueFull": 7, "CutOff": 1}),
]


def shown(*, judgement: Judgement | None = None, flooding: bool = False, roles: Roles | None = ROLES) -> str:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(Group(*live(FIGURES, roles, judgement, flooding=flooding)))
    return captured.get()


def test_a_service_has_a_line_with_its_figures() -> None:
    lines = {line.split()[0]: line.split()[1:] for line in shown().splitlines() if line.strip().startswith("team/")}
    assert lines["team/a"] == ["2", "1.2", "12", "ms", "100", "ms", "1200", "ms", "12", "s"]
    assert lines["team/b"] == ["0", "0.0", "-", "-", "-", "-", "1", "CutOff,", "7", "QueueFull"]


def test_nothing_before_the_first_request() -> None:
    assert live([], ROLES, JUDGED, flooding=True) == []


def test_the_flood_is_told_while_it_is_on() -> None:
    assert "team/flooded is flooded now" in shown(flooding=True)
    assert "flooded now" not in shown()


def test_what_was_judged_is_told() -> None:
    held = shown(judgement=JUDGED)
    assert "guarantees held while team/flooded was flooded" in held
    assert "had 3.9 of 4 promised requests" in " ".join(held.split())
    broken = shown(judgement=replace(JUDGED, problems=("too many",)))
    assert "guarantees did not hold while team/flooded was flooded: too many" in broken
    assert "guarantees" not in shown(judgement=JUDGED, roles=None)
