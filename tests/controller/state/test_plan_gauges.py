"""RepartitionPlans as rows of gauges, and how long their phases were."""

from datetime import UTC, datetime, timedelta
from typing import Any

from api.v1beta1 import RepartitionPlan
from controller.state.plan_gauges import degraded_rows, ended_phases, phase_age_rows, plan_rows
from controller.state.plan_phases import PlanPhases
from tests.builders.cluster import FedCluster
from tests.builders.plan import plan

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def step(name: str, began: float, ended: float | None = None) -> dict[str, Any]:
    end = {} if ended is None else {"endTime": at(ended).isoformat()}
    return {"name": name, "startTime": at(began).isoformat()} | end


def raw(phase: str, *steps: dict[str, Any], name: str = "plan-1", made: float = 0, **fields: Any) -> dict[str, Any]:
    found = plan(name, phase=phase, **fields)
    found["metadata"]["creationTimestamp"] = at(made).isoformat()
    return found | {"status": {"phase": phase, "steps": list(steps)}}


def read(*args: Any, **fields: Any) -> RepartitionPlan:
    return RepartitionPlan.model_validate(raw(*args, **fields))


def test_plans_are_counted_by_phase_and_phases_without_any_are_told() -> None:
    counted = {phase: count for (phase,), count in plan_rows([read("Draining"), read("Draining"), read("Failed")])}
    assert (counted.pop("Draining"), counted.pop("Failed")) == (2.0, 1.0)
    assert set(counted.values()) == {0.0}
    assert {"Pending", "AwaitingApproval", "RollingBack", "RolledBack", "Succeeded"} <= counted.keys()


def test_plans_that_ended_degraded_are_counted_by_node_and_nodes_with_other_plans_tell_0() -> None:
    degraded = raw("Failed")
    told = {"type": "Degraded", "reason": "LayoutUnknown", "lastTransitionTime": at(0).isoformat()}
    plans = []
    for node, status in (("worker-0", "True"), ("worker-0", "False"), ("worker-1", "False")):
        one = degraded | {"status": {"phase": "Failed", "conditions": [told | {"status": status}]}}
        plans.append(RepartitionPlan.model_validate(one | {"spec": one["spec"] | {"node": node}}))
    assert degraded_rows([*plans, read("Draining", node="worker-2")]) == [
        (("worker-0",), 1.0),
        (("worker-1",), 0.0),
        (("worker-2",), 0.0),
    ]


def test_the_plan_that_is_longest_in_a_phase_tells_how_long() -> None:
    plans = [
        read("Draining", step("Draining", 40)),
        read("Draining", step("AwaitingApproval", 1, 30), step("Draining", 30)),
        read("Pending", made=90),
        read("Draining", step("Draining", 1), node="worker-1"),
        read("Succeeded", step("Draining", 0, 5), step("Closing", 5, 6)),
    ]
    assert phase_age_rows(plans, at(100)) == [
        (("worker-0", "Draining"), 70.0),
        (("worker-0", "Pending"), 10.0),
        (("worker-1", "Draining"), 99.0),
    ]


def test_a_plan_that_ended_is_told_until_it_is_tidied_up() -> None:
    closing = read("RolledBack", step("RollingBack", 0, 5), step("Closing", 5))
    assert phase_age_rows([closing], at(65)) == [(("worker-0", "Closing"), 60.0)]


def test_a_dry_run_and_a_plan_that_failed_at_once_have_no_age() -> None:
    assert phase_age_rows([read("Pending", dry_run=True), read("Failed")], at(9)) == []


def test_phases_that_ended_between_two_looks_are_told_with_their_length() -> None:
    before = read("Draining", step("AwaitingApproval", 1, 5), step("Draining", 5))
    after = read(
        "Applying",
        step("AwaitingApproval", 1, 5),
        step("Draining", 5, 7.5),
        step("Quiescing", 7.5, 8),
        step("Applying", 8),
    )
    assert list(ended_phases(before, after, at(99))) == [("Draining", 2.5), ("Quiescing", 0.5)]
    assert list(ended_phases(after, after, at(99))) == []


def test_a_phase_that_is_come_back_to_counts_again() -> None:
    before = read("Draining", step("Draining", 5, 6), step("Quiescing", 6, 7), step("Draining", 7))
    after = read(
        "Quiescing", step("Draining", 5, 6), step("Quiescing", 6, 7), step("Draining", 7, 11), step("Quiescing", 11)
    )
    assert list(ended_phases(before, after, at(99))) == [("Draining", 4.0)]


def test_the_first_phase_lasts_from_the_plans_making() -> None:
    pending = read("Pending", made=10)
    assert list(ended_phases(pending, read("Draining", step("Draining", 13.5), made=10), at(99))) == [("Pending", 3.5)]
    assert list(ended_phases(pending, read("Failed", made=10), at(99))) == [("Pending", 89.0)]
    assert list(ended_phases(pending, pending, at(99))) == []


def test_lengths_are_told_as_the_watch_shows_them_and_what_ended_before_is_not() -> None:
    fed, told = FedCluster(), list[tuple[str, float]]()
    plans = fed.cluster.plans
    plans.add_handler(PlanPhases(fed.cluster.plan_table, fed.clock, lambda *row: told.append(row)).take)
    fed.put(plans, raw("Draining", step("AwaitingApproval", 0, 3), step("Draining", 3)))
    assert told == []
    ended = raw("Succeeded", step("AwaitingApproval", 0, 3), step("Draining", 3, 4), step("Closing", 4))
    fed.put(plans, ended)
    assert told == [("Draining", 1.0)]
    fed.drop(plans, ended)
    another = raw("Draining", step("Draining", 0))
    fed.put(plans, another)
    renamed = raw("Succeeded", step("Draining", 0, 9))
    renamed["metadata"]["uid"] = "another"
    fed.put(plans, renamed)
    assert told == [("Draining", 1.0)]
