import re
from pathlib import Path

import pytest

from controller.repartition.diagram import event_table, filled, phase_table, state_diagram
from controller.repartition.phases import TERMINAL, TRANSITIONS, Event, Phase

PAGE = Path(__file__).parents[3] / "docs" / "repartitioning.md"


def test_the_page_shows_the_table_as_it_is() -> None:
    page = PAGE.read_text()
    assert page == filled(page), "write filled(page) of controller.repartition.diagram to docs/repartitioning.md"


def test_the_diagram_has_an_arrow_for_every_transition_and_no_other() -> None:
    arrows = {
        (Phase(source), Event(event), Phase(target))
        for source, target, events in re.findall(r"(\w+) --> (\w+): (.+)", state_diagram())
        for event in events.split(", ")
    }
    assert arrows == {(phase, event, target) for (phase, event), target in TRANSITIONS.items()}


def test_it_begins_at_pending_and_ends_where_plans_end() -> None:
    assert re.findall(r"\[\*\] --> (\w+)", state_diagram()) == [Phase.PENDING]
    assert set(re.findall(r"(\w+) --> \[\*\]", state_diagram())) == TERMINAL


def test_the_tables_name_every_phase_and_every_event() -> None:
    rows = {line.split(" | ")[0].strip("| ") for line in (phase_table() + "\n" + event_table()).splitlines()}
    assert rows >= {*Phase, *Event}


def test_a_block_that_nobody_can_fill_is_an_error() -> None:
    with pytest.raises(KeyError):
        filled("<!-- phases: poem -->\n<!-- phases: end -->")
