from collections.abc import Callable

import pytest

from controller.qos.dispatcher import Dispatcher, Line
from controller.qos.place import Classes, Place
from controller.qos.settings import LimitSettings
from e2e.run.traffic.flood import Flood
from e2e.run.traffic.judgement import Judgement, judge
from e2e.run.traffic.latencies import Latencies
from tests.e2e.run.traffic.stage import ROLES, SEATS, Stage, stage


async def played(found: Stage, refused: frozenset[str] = frozenset({"QueueFull"})) -> Judgement:
    flood = Flood(found.caller, Latencies(), ROLES)
    scene = await flood.play(calm_seconds=0.5, alone_seconds=1.0, beside_seconds=2.0, crowded_seconds=2.0)
    assert {sent.reason for sent in scene.flood} - refused == {""}
    return judge(ROLES, scene, found.entries(), found.services)


@pytest.mark.alone
async def test_guarantees_hold_while_one_of_two_models_is_flooded() -> None:
    async with stage() as found:
        judged = await played(found)
    assert judged.problems == ()
    assert judged.most_flooded == ROLES.maximum
    assert judged.most_together == ROLES.seats


async def test_a_maximum_that_nobody_keeps_is_noticed_by_the_engines_record() -> None:
    async with stage(maximum=None) as found:
        judged = await played(found)
    assert f"{ROLES.flooded} had {SEATS} requests in flight, {ROLES.maximum} may be" in judged.problems


def no_minimum(dispatcher: Dispatcher, place: Place) -> None:
    """In the place of `want`: nobody is ever served first for its minimum."""


def one_class(original: Callable[[Dispatcher, Classes], None]) -> Callable[[Dispatcher, Classes], None]:
    """In the place of `arrange`: all classes have one rank and take turns."""

    def arrange(dispatcher: Dispatcher, classes: Classes) -> None:
        original(dispatcher, classes)
        lines = dispatcher.lines
        for line in lines:
            line.level, line.bit, line.alone, line.behind = 0, 1, False, list[Line]()
        dispatcher.levels = [lines]

    return arrange


def no_bound(original: Callable[[Dispatcher, LimitSettings, int], None]) -> Callable[..., None]:
    """In the place of `resize`: a partition has the seats of all its engines, whatever the policy says."""
    return lambda dispatcher, limits, seats: original(dispatcher, limits, 2 * SEATS if seats else 0)


@pytest.mark.alone
@pytest.mark.parametrize(
    ("broken", "by", "want"),
    [
        pytest.param("want", no_minimum, "requests in flight beside the flood on average", id="minimums"),
        pytest.param("arrange", one_class(Dispatcher.arrange), "beside the flood of a better class", id="classes"),
        pytest.param(
            "resize", no_bound(Dispatcher.resize), f"requests in flight, {SEATS} may be", id="the partition's bound"
        ),
    ],
)
async def test_a_dispatcher_without_it_is_noticed(
    monkeypatch: pytest.MonkeyPatch, broken: str, by: Callable[..., None], want: str
) -> None:
    monkeypatch.setattr(Dispatcher, broken, by)
    async with stage() as found:
        judged = await played(
            found, frozenset({"QueueFull", "QueueTimeout"})
        )  # it may be served too late, or too little
    assert any(want in problem for problem in judged.problems), judged
