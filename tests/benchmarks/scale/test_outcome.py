from collections import Counter
from dataclasses import replace

import pytest

from e2e.plane.components import APISERVER
from tests.benchmarks.binding.processors import OPERATOR, Spent
from tests.benchmarks.scale.outcome import Measured, notes, rows
from tests.benchmarks.scale.phases import Phase
from tests.benchmarks.scale.requests import Part
from tests.benchmarks.scale.restart import Restart
from tests.benchmarks.scale.settings import Settings


def phase(name: str, operator: float, *, pods: int = 10, complete: bool = True) -> Phase:
    used = Spent(10.0, {OPERATOR: operator, APISERVER: 4.0})
    asked = Counter({"PATCH pods": 20})
    return Phase(name, pods, complete, used, asked, mib=200.0, peak_mib=300.0, deepest={"gpupartitionclaim": 7})


def measured(restart: Restart | None = None) -> Measured:
    fill = [phase(f"fill {number}/4", 1.0) for number in (1, 2, 3)] + [phase("fill 4/4", 2.0)]
    found = Measured(Settings(churn=0), 60.0, [*fill, phase("rest", 0.1), phase("end", 0.5, complete=False)])
    found.held, found.served, found.restart = [10.0, 30.0], [20.0, 40.0], restart
    asked = Counter({"get pods": 4, "patch pods": 6})
    found.operators = {each.name: asked for each in found.phases} | {"restart": asked}
    return found


def test_rows_are_of_the_pods_that_came() -> None:
    found = {row.metric: row for row in rows(measured())}
    assert (found["fill_pods_per_second"].ours, found["fill_operator_ms_a_pod"].ours) == (1.0, 125.0)
    assert (found["fill_operator_requests_a_pod"].ours, found["fill_operator_writes_a_pod"].ours) == (1.0, 0.6)
    assert (found["fill_requests_per_second"].ours, found["fill_all_cores"].ours) == (2.0, 0.525)
    assert (found["fill_queue_depth_most"].ours, found["fill_open_p50_ms"].ours) == (7.0, 10.0)


def test_a_pod_that_costs_more_than_the_first_is_a_missed_target() -> None:
    growth = {row.metric: row for row in rows(measured())}["fill_beyond_rest_last_to_first"]
    assert growth.ours == pytest.approx(1.9 / 0.9, abs=1e-3)
    assert growth.met is False


def test_a_run_that_only_takes_longer_does_not_make_a_pod_dearer() -> None:
    found = measured()
    found.phases[3] = replace(found.phases[3], spent=Spent(110.0, {OPERATOR: 2.0, APISERVER: 4.0}))
    growth = {row.metric: row for row in rows(found)}["fill_beyond_rest_last_to_first"]
    assert growth.ours == pytest.approx(1.0)


def test_a_phase_that_stood_still_is_told() -> None:
    stuck = {row.metric: row for row in rows(measured())}["incomplete_phases"]
    assert (stuck.ours, stuck.met) == (1.0, False)


def test_what_the_limit_left_no_time_for_is_told() -> None:
    found = measured()
    found.settings = Settings()
    del found.phases[-1]
    cut = {row.metric: row.ours for row in rows(found)}
    assert cut["incomplete_phases"] == 2.0  # churn and end
    assert cut["held_operator_mib"] == 200.0
    assert not any(name.startswith("end_") for name in cut)


def test_what_was_left_out_has_no_rows() -> None:
    names = {row.metric for row in rows(measured())}
    assert not any(name.startswith(("restart", "churn")) for name in names)


def test_a_restart_has_rows_of_its_own() -> None:
    restarted = Restart(2.0, 2.5, 4.0, 5.0, 6.0, 1.5, 250.0, Part(0, 1))
    found = {row.metric: row.ours for row in rows(measured(restarted))}
    assert (found["restart_first_pod_placed_seconds"], found["restart_operator_writes"]) == (4.0, 6.0)


def test_notes_say_that_all_share_the_machine_and_who_computed() -> None:
    text = "\n".join(notes(measured()))
    assert "one machine for API server" in text
    assert "operator 200.0" in text
    assert "  end       gpupartitionclaim 7.0" in text
