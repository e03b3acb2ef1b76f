import pytest

from e2e.run.traffic.flood import Flood
from e2e.run.traffic.judgement import judge
from e2e.run.traffic.latencies import Latencies
from tests.e2e.run.traffic.stage import ROLES, SEATS, stage


@pytest.mark.alone
async def test_guarantees_hold_while_one_of_two_models_is_flooded() -> None:
    async with stage() as found:
        flood = Flood(found.caller, Latencies(), ROLES)
        scene = await flood.play(calm_seconds=1.0, flood_seconds=3.0)
        judged = judge(ROLES, scene, found.entries(), found.services)
    assert judged.problems == ()
    assert judged.most_flooded == ROLES.maximum
    assert {sent.reason for sent in scene.flood} == {"", "QueueFull"}


async def test_a_maximum_that_nobody_keeps_is_noticed_by_the_engines_record() -> None:
    async with stage(maximum=None) as found:
        flood = Flood(found.caller, Latencies(), ROLES)
        scene = await flood.play(calm_seconds=0.2, flood_seconds=1.0)
        judged = judge(ROLES, scene, found.entries(), found.services)
    assert f"{ROLES.flooded} had {SEATS} requests in flight, {ROLES.maximum} may be" in judged.problems
