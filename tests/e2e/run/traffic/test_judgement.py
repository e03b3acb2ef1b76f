from dataclasses import replace
from typing import Any

import pytest

from e2e.engine.record import Entry
from e2e.run.traffic.judgement import Roles, Scene, beginnings, judge, waits
from e2e.run.traffic.sent import Sent

ROLES = Roles("team/neighbour", "team/flooded", minimum=2, maximum=2)
SERVICES = {"n": ROLES.neighbour, "f": ROLES.flooded}


def pair(engine: str, request: str, begin: float, end: float) -> list[Entry]:
    entry = Entry(begin, engine, "p", "m", "begin", f"{request}/1", in_flight=1, seats=3)
    return [entry, replace(entry, at=end, event="end")]


def asked(request: str, at: float, **more: Any) -> Sent:
    return Sent(ROLES.neighbour, at, request, **{"first": 0.2, "whole": 1.0, **more})


CALM = [asked("c1", 0.0), asked("c2", 1.0)]
BESIDE = [asked("b1", 10.0), asked("b2", 11.0)]
FLOOD = [Sent(ROLES.flooded, 10.0, "f1", 0.2, 1.0), Sent(ROLES.flooded, 10.0, "f9", reason="QueueFull")]
GOOD = [
    *pair("n", "c1", 0.01, 1.0),
    *pair("n", "c2", 1.01, 2.0),
    *pair("n", "b1", 10.02, 11.0),
    *pair("n", "b2", 11.03, 12.0),
    *pair("f", "f1", 10.0, 11.0),
    *pair("f", "f2", 10.5, 11.5),
]
SCENE = Scene(CALM, BESIDE, FLOOD)


def test_a_scene_in_which_everything_held() -> None:
    found = judge(ROLES, SCENE, GOOD, SERVICES)
    assert found.problems == ()
    assert found.calm_wait_p99_ms == pytest.approx(10)
    assert found.wait_p99_ms == pytest.approx(30)
    assert found.wait_bound_ms == 500.0
    assert (found.most_flooded, found.left_over) == (2, 1)


@pytest.mark.parametrize(
    ("scene", "entries", "want"),
    [
        pytest.param(
            SCENE,
            [*GOOD, *pair("f", "f3", 10.6, 11.0)],
            "team/flooded had 3 requests in flight, 2 may be",
            id="the maximum was exceeded",
        ),
        pytest.param(
            SCENE,
            [*GOOD, *(entry for number in range(4) for entry in pair("n", f"x{number}", 20.0, 21.0))],
            "n had 4 requests in flight, 3 may be",
            id="an engine had more than its seats",
        ),
        pytest.param(
            replace(SCENE, beside_flood=[asked("b1", 9.0), asked("b2", 11.0)]),
            GOOD,
            "requests of team/neighbour waited 1020 ms (p99) beside the flood and 10 ms without it",
            id="the neighbour had to wait",
        ),
        pytest.param(
            replace(SCENE, beside_flood=[*BESIDE, asked("b3", 11.0, whole=None, reason="Shed")]),
            GOOD,
            "1 requests of team/neighbour were not answered beside the flood: Shed",
            id="the neighbour was refused",
        ),
        pytest.param(
            replace(SCENE, flood=FLOOD[:1]), GOOD, "team/flooded was not flooded", id="the flood left nothing over"
        ),
        pytest.param(SCENE, GOOD[:-2], "1 of 2 requests at once", id="the flood did not fill the maximum"),
        pytest.param(
            replace(SCENE, beside_flood=[]), GOOD, "team/neighbour was not asked", id="nobody asked the neighbour"
        ),
    ],
)
def test_what_did_not_hold_is_told(scene: Scene, entries: list[Entry], want: str) -> None:
    problems = judge(ROLES, scene, entries, SERVICES).problems
    assert any(want in problem for problem in problems), problems


@pytest.mark.parametrize(
    "scene",
    [
        pytest.param(replace(SCENE, late_seconds=0.6), id="the machine was late"),
        pytest.param(replace(SCENE, calm=[asked("c1", -0.6)]), id="it waited nearly as long without the flood"),
    ],
)
def test_what_is_not_held_against_the_flood(scene: Scene) -> None:
    late = replace(scene, beside_flood=[asked("b1", 9.0), asked("b2", 11.0)])
    assert judge(ROLES, late, GOOD, SERVICES).problems == ()


def test_an_answer_that_no_engine_began_is_a_hole_in_the_record() -> None:
    with pytest.raises(KeyError, match="b2"):
        judge(ROLES, SCENE, [entry for entry in GOOD if not entry.request.startswith("b2")], SERVICES)


def test_a_request_that_was_tried_twice_began_the_first_time() -> None:
    entries = [*pair("n", "a", 2.0, 3.0), *pair("f", "a", 1.0, 1.5)]
    assert waits([asked("a", 0.5)], beginnings(entries)) == [0.5]
