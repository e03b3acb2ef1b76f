from dataclasses import replace
from typing import Any

import pytest

from e2e.engine.record import Entry
from e2e.run.traffic.judgement import Roles, Scene, beginnings, in_flight_between, judge, longest, waits
from e2e.run.traffic.sent import Sent

ROLES = Roles("team/neighbour", "team/flooded", minimum=1, maximum=2, seats=2)
SERVICES = {"n": ROLES.neighbour, "f": ROLES.flooded}


def pair(engine: str, request: str, begin: float, end: float) -> list[Entry]:
    entry = Entry(begin, engine, "p", "m", "begin", f"{request}/1", in_flight=1, seats=3)
    return [entry, replace(entry, at=end, event="end")]


def asked(request: str, at: float, **more: Any) -> Sent:
    return Sent(ROLES.neighbour, at, request, **{"first": 0.2, "whole": 1.0, **more})


CALM = [asked("c1", 0.0), asked("c2", 1.0)]
BESIDE = [asked("b1", 10.0), asked("b2", 11.0)]
CROWD = [asked("m1", 12.0), asked("m2", 12.0)]
FLOOD = [Sent(ROLES.flooded, 8.0, "f1", 0.2, 1.0), Sent(ROLES.flooded, 8.0, "f9", reason="QueueFull")]
ALONE = [*pair("f", "f1", 8.0, 9.0), *pair("f", "f2", 8.5, 9.5)]
GOOD = [
    *pair("n", "c1", 0.01, 1.0),
    *pair("n", "c2", 1.01, 2.0),
    *ALONE,
    *pair("n", "b1", 10.02, 11.0),
    *pair("n", "b2", 11.03, 12.0),
    *pair("f", "f3", 10.0, 11.0),
    *pair("n", "m1", 12.02, 13.0),
    *pair("n", "m2", 13.02, 14.0),
    *pair("f", "f4", 12.5, 13.5),
]
SCENE = Scene(CALM, BESIDE, CROWD, FLOOD, (12.5, 14.0))


def test_a_scene_in_which_everything_held() -> None:
    elsewhere = pair("another", "x", 5.0, 13.0)
    found = judge(ROLES, SCENE, [*GOOD, *elsewhere], SERVICES)
    assert found.problems == ()
    assert found.calm_wait_p99_ms == pytest.approx(10)
    assert found.wait_p99_ms == pytest.approx(30)
    assert found.wait_bound_ms == pytest.approx(1000)
    assert (found.most_flooded, found.most_together, found.left_over) == (2, 2, 1)
    assert found.kept == pytest.approx(1, abs=0.02)
    assert found.most_crowded == 1


@pytest.mark.parametrize(
    ("scene", "entries", "want"),
    [
        pytest.param(
            SCENE,
            [*GOOD, *pair("f", "f5", 8.6, 8.9)],
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
            SCENE,
            [*GOOD, *pair("f", "f5", 10.6, 10.9)],
            "p had 3 requests in flight, 2 may be",
            id="both together had more than the partition's seats",
        ),
        pytest.param(
            SCENE,
            [*GOOD[:-6], *pair("n", "m1", 13.5, 14.0), *pair("n", "m2", 14.02, 15.0)],
            "team/neighbour had 0.3 requests in flight beside the flood on average, it is promised 1",
            id="the neighbour had less than its minimum",
        ),
        pytest.param(
            SCENE,
            [*GOOD, *pair("n", "m3", 13.6, 13.9)],
            "team/neighbour had 2 requests at once beside the flood of a better class, beyond 1",
            id="the better class did not go first",
        ),
        pytest.param(
            replace(SCENE, beside_flood=[asked("b1", 8.9), asked("b2", 11.0)]),
            GOOD,
            "requests of team/neighbour waited 1120 ms (p99) beside the flood and 10 ms without it",
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
        pytest.param(
            SCENE,
            [entry for entry in GOOD if entry not in ALONE],
            "1 requests at once, of 2 that it may have and 1 that team/neighbour is not promised",
            id="the flood took nothing that is lent",
        ),
        pytest.param(
            replace(SCENE, beside_flood=[]), GOOD, "team/neighbour was not asked", id="nobody asked the neighbour"
        ),
        pytest.param(replace(SCENE, crowd=[]), GOOD, "team/neighbour was not asked", id="no crowd asked it"),
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
    late = replace(scene, beside_flood=[asked("b1", 8.9), asked("b2", 11.0)])
    assert judge(ROLES, late, GOOD, SERVICES).problems == ()


def test_an_answer_that_no_engine_began_is_a_hole_in_the_record() -> None:
    with pytest.raises(KeyError, match="b2"):
        judge(ROLES, SCENE, [entry for entry in GOOD if not entry.request.startswith("b2")], SERVICES)


def test_a_request_that_was_tried_twice_began_the_first_time() -> None:
    entries = [*pair("n", "a", 2.0, 3.0), *pair("f", "a", 1.0, 1.5)]
    assert waits([asked("a", 0.5)], beginnings(entries)) == [0.5]


def test_the_longest_that_was_in_flight_is_told_of_what_ended() -> None:
    assert longest([*pair("n", "a", 2.0, 3.0), *pair("f", "a", 1.0, 2.5), pair("n", "b", 0.0, 9.0)[0]]) == 1.5
    assert longest([]) == 0.0


def test_what_was_in_flight_counts_within_the_window_alone() -> None:
    entries = [
        *pair("n", "a", 0.0, 3.0),
        *pair("n", "b", 2.0, 9.0),
        *pair("n", "c", 2.0, 2.5),
        *pair("n", "d", 7.0, 8.0),
    ]
    assert in_flight_between(entries, 2.0, 4.0) == (1.75, 3)
    assert in_flight_between(entries, 3.5, 4.0) == (1.0, 1)
    assert in_flight_between([], 1.0, 1.0) == (0.0, 0)
