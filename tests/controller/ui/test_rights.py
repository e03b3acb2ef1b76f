"""What somebody may list: asked for each namespace only where it must be, and forgotten within seconds."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import structlog

from controller.runtime.authorization import Undecided
from controller.ui.rights import ALLOWED_SECONDS, DENIED_SECONDS, MOST_NAMESPACES, Rights
from controller.ui.viewer import Viewer
from tests.controller.ui.reviews import Cluster, reviewing
from tests.fakes.clock import SkippingClock

ANNA = {"user": "anna", "groups": ["all"], "extra": {}}
NOTHING = Viewer(frozenset(), plans=False, nodes=False, profiles=False)
TEAMS = ("team-a", "team-b", "team-c")


@pytest.fixture
def clock() -> SkippingClock:
    return SkippingClock()


@pytest.fixture
async def cluster(clock: SkippingClock) -> AsyncIterator[Cluster]:
    async with reviewing(clock) as found:
        yield found


@pytest.fixture
def rights(cluster: Cluster, clock: SkippingClock) -> Rights:
    return Rights(cluster.client, clock)


async def test_who_may_list_nothing_sees_nothing(rights: Rights) -> None:
    assert await rights.viewer(ANNA, TEAMS) == NOTHING


async def test_namespaces_are_those_where_both_kinds_may_be_listed(rights: Rights, cluster: Cluster) -> None:
    cluster.let("anna", "team-a")
    cluster.may |= {("anna", "gpupartitionclaims", "team-b"), ("anna", "inferenceservices", "team-c")}
    assert (await rights.viewer(ANNA, TEAMS)).namespaces == frozenset({"team-a"})


async def test_who_may_list_all_of_them_is_asked_about_none(rights: Rights, cluster: Cluster) -> None:
    cluster.let("anna", "")
    assert (await rights.viewer(ANNA, TEAMS)).namespaces is None
    assert len(cluster.asked) == 5
    assert {spec["resourceAttributes"]["namespace"] for spec in cluster.reviews()} == {""}


@pytest.mark.parametrize(
    ("kind", "field"), [("gpunodes", "nodes"), ("repartitionplans", "plans"), ("modelprofiles", "profiles")]
)
async def test_what_is_in_no_namespace_has_a_right_of_its_own(
    rights: Rights, cluster: Cluster, kind: str, field: str
) -> None:
    cluster.may.add(("anna", kind, ""))
    found = await rights.viewer(ANNA, ())
    assert [name for name in ("nodes", "plans", "profiles") if getattr(found, name)] == [field]


async def test_answers_hold_for_seconds_and_a_right_that_ends_is_missed(
    rights: Rights, cluster: Cluster, clock: SkippingClock
) -> None:
    cluster.let("anna", "team-a")
    await rights.viewer(ANNA, TEAMS)
    asked = len(cluster.asked)
    cluster.may.clear()
    clock.tick(ALLOWED_SECONDS - 0.1)
    assert (await rights.viewer(ANNA, TEAMS)).namespaces == frozenset({"team-a"})
    assert len(cluster.asked) == asked
    clock.tick(0.2)
    assert await rights.viewer(ANNA, TEAMS) == NOTHING
    assert len(cluster.asked) == asked + 1, "what was refused is not asked again yet, nor a kind that cannot matter"


async def test_a_right_that_is_given_is_seen_a_while_later(
    rights: Rights, cluster: Cluster, clock: SkippingClock
) -> None:
    await rights.viewer(ANNA, TEAMS)
    cluster.let("anna", "team-b")
    clock.tick(DENIED_SECONDS - 0.1)
    assert await rights.viewer(ANNA, TEAMS) == NOTHING
    clock.tick(0.2)
    assert (await rights.viewer(ANNA, TEAMS)).namespaces == frozenset({"team-b"})


async def test_groups_are_part_of_who_somebody_is(rights: Rights, cluster: Cluster) -> None:
    await rights.viewer(ANNA, ())
    await rights.viewer({**ANNA, "uid": "another"}, ())
    assert len(cluster.asked) == 10


async def test_pages_of_one_person_that_come_at_once_share_the_reviews(rights: Rights, cluster: Cluster) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(rights.viewer(ANNA, TEAMS))
    assert len(cluster.asked) == 5 + len(TEAMS)


async def test_what_is_remembered_is_bounded(cluster: Cluster, clock: SkippingClock) -> None:
    rights = Rights(cluster.client, clock, capacity=6)
    for number in range(5):
        await rights.viewer({**ANNA, "user": f"user-{number}"}, TEAMS)
    assert len(rights._known) == 6
    asked = len(cluster.asked)
    await rights.viewer({**ANNA, "user": "user-0"}, TEAMS)
    assert len(cluster.asked) == asked + 5 + len(TEAMS)


async def test_no_more_namespaces_are_asked_about_than_is_said(rights: Rights, cluster: Cluster) -> None:
    names = [f"n-{number:04}" for number in range(MOST_NAMESPACES + 3)]
    cluster.let("anna", *names)
    found = (await rights.viewer(ANNA, names)).namespaces
    assert found is not None
    assert (len(found), names[-1] in found) == (MOST_NAMESPACES, False)


async def test_that_there_are_too_many_is_said_when_it_begins_and_when_it_ends(
    rights: Rights, cluster: Cluster, clock: SkippingClock
) -> None:
    names = [f"n-{number:04}" for number in range(MOST_NAMESPACES + 1)]
    with structlog.testing.capture_logs() as said:
        for _ in range(3):
            await rights.viewer(ANNA, names)
            clock.tick(DENIED_SECONDS)
        await rights.viewer({**ANNA, "user": "ben"}, names)
        assert [(each["event"], each["namespaces"]) for each in said] == [
            ("too many namespaces to ask about", MOST_NAMESPACES + 1)
        ]
        await rights.viewer(ANNA, names[:-1])
        await rights.viewer(ANNA, names[:-1])
        await rights.viewer(ANNA, names)
    assert [each["log_level"] for each in said] == ["warning", "info", "warning"]


async def test_silence_shows_nothing(rights: Rights, cluster: Cluster, clock: SkippingClock) -> None:
    cluster.let("anna", "team-a")
    await rights.viewer(ANNA, TEAMS)
    clock.tick(ALLOWED_SECONDS + 1)
    await cluster.api.stop()
    with pytest.raises(Undecided, match="did not say what may be seen"):
        await rights.viewer(ANNA, TEAMS)
