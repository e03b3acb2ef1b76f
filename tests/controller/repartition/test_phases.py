from itertools import product

import pytest

from api.v1beta1.repartition_plan import PlanPhase
from controller.repartition.phases import (
    DEADLINE_SECONDS,
    HARDWARE,
    MEANINGS,
    TERMINAL,
    TRANSITIONS,
    Event,
    Phase,
    UnknownTransition,
    step,
)

UNFINISHED = sorted(set(Phase) - TERMINAL)
UNKNOWN = [pair for pair in product(Phase, Event) if pair not in TRANSITIONS]


def reachable(start: Phase) -> set[Phase]:
    seen, todo = {start}, [start]
    while todo:
        now = todo.pop()
        after = {target for (source, _), target in TRANSITIONS.items() if source is now} - seen
        seen |= after
        todo += after
    return seen


@pytest.mark.parametrize("phase", UNFINISHED)
def test_every_unfinished_phase_can_end(phase: Phase) -> None:
    assert reachable(phase) & TERMINAL


@pytest.mark.parametrize("phase", sorted(TERMINAL))
def test_an_ended_plan_takes_no_event(phase: Phase) -> None:
    assert reachable(phase) == {phase}


def test_every_phase_is_reached_from_pending() -> None:
    assert reachable(Phase.PENDING) == set(Phase)


def test_every_event_is_expected_somewhere() -> None:
    assert {event for _, event in TRANSITIONS} == set(Event)


@pytest.mark.parametrize(("phase", "event"), UNKNOWN, ids=lambda value: str(value))
def test_an_unknown_pair_raises_and_names_both(phase: Phase, event: Event) -> None:
    with pytest.raises(UnknownTransition) as unknown:
        step(phase, event)
    assert {phase.value, event.value} <= set(str(unknown.value).split())


@pytest.mark.parametrize("phase", [phase for phase in UNFINISHED if DEADLINE_SECONDS[phase] is not None])
def test_a_phase_with_a_deadline_expects_to_expire(phase: Phase) -> None:
    assert (phase, Event.EXPIRED) in TRANSITIONS


def test_every_unfinished_phase_has_a_deadline_or_waits_for_a_person_on_purpose() -> None:
    assert set(DEADLINE_SECONDS) == set(UNFINISHED)


def targets(phases: frozenset[Phase], *events: Event) -> set[Phase]:
    return {target for (phase, event), target in TRANSITIONS.items() if phase in phases and event in events}


@pytest.mark.parametrize("event", [Event.APPLY_FAILED, Event.MISMATCHED, Event.EXPIRED, Event.CANCELLED])
def test_once_the_hardware_may_have_changed_a_failure_goes_back(event: Event) -> None:
    assert targets(HARDWARE - {Phase.ROLLING_BACK}, event) == {Phase.ROLLING_BACK}


@pytest.mark.parametrize("event", [Event.REFUSED, Event.EXPIRED, Event.CANCELLED])
def test_before_that_a_failure_ends_the_plan_with_nothing_to_take_back(event: Event) -> None:
    assert targets(frozenset(UNFINISHED) - HARDWARE, event) == {Phase.FAILED}


def test_nothing_acts_before_the_gpus_are_quiet() -> None:
    into_applying = {pair for pair, target in TRANSITIONS.items() if target is Phase.APPLYING}
    assert into_applying == {(Phase.QUIESCING, Event.QUIET)}
    assert targets(frozenset(Phase) - HARDWARE, *Event) & HARDWARE == {Phase.APPLYING}


def test_a_way_back_never_leads_to_another_change() -> None:
    assert reachable(Phase.ROLLING_BACK) == {Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.FAILED}


@pytest.mark.parametrize("phase", sorted(HARDWARE))
def test_a_node_that_goes_away_ends_the_plan(phase: Phase) -> None:
    assert step(phase, Event.NODE_GONE) is Phase.FAILED


def test_every_event_is_explained() -> None:
    assert set(MEANINGS) == set(Event)


def test_every_phase_can_be_stored() -> None:
    assert {phase.value for phase in Phase} <= {phase.value for phase in PlanPhase}
