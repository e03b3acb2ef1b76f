from itertools import product

import pytest

from api.v1beta1.repartition_plan import PlanPhase
from controller.repartition.phases import DEADLINE_SECONDS, TERMINAL, TRANSITIONS, Event, Phase, UnknownTransition, step

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


def test_once_the_hardware_may_have_changed_a_failure_goes_back() -> None:
    touched = {Phase.APPLYING, Phase.VERIFYING}
    failures = {Event.APPLY_FAILED, Event.MISMATCHED, Event.EXPIRED}
    after = {target for (phase, event), target in TRANSITIONS.items() if phase in touched and event in failures}
    assert after == {Phase.ROLLING_BACK}


def test_nothing_acts_before_the_gpus_are_idle() -> None:
    into_applying = {pair for pair, target in TRANSITIONS.items() if target is Phase.APPLYING}
    assert into_applying == {(Phase.DRAINING, Event.IDLE)}


def test_every_phase_can_be_stored() -> None:
    assert {phase.value for phase in Phase} <= {phase.value for phase in PlanPhase}
