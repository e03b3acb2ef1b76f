"""Who is let in by a token of the cluster, and what becomes of those who are not."""

from collections.abc import AsyncIterator

import pytest

from controller.ui.gate import Admitted, NotLetIn
from controller.ui.review_gate import ReviewGate
from controller.ui.rights import ALLOWED_SECONDS
from controller.ui.viewer import Viewer
from tests.controller.ui.reviews import AUDIENCE, Cluster, reviewing
from tests.fakes.clock import SkippingClock

SEES_A = Viewer(frozenset({"team-a"}), plans=False, nodes=False, profiles=False)


@pytest.fixture
def clock() -> SkippingClock:
    return SkippingClock()


@pytest.fixture
async def cluster(clock: SkippingClock) -> AsyncIterator[Cluster]:
    async with reviewing(clock) as found:
        found.let("anna", "team-a", "team-empty")
        yield found


@pytest.fixture
def gate(cluster: Cluster, clock: SkippingClock) -> ReviewGate:
    return ReviewGate(cluster.client, clock, (AUDIENCE,), lambda: ("team-a", "team-b"))


async def refused(gate: ReviewGate, token: str) -> tuple[int, str]:
    with pytest.raises(NotLetIn) as refusal:
        await gate.admit(token)
    return refusal.value.status, str(refusal.value)


async def test_a_token_for_the_map_lets_in_and_shows_what_may_be_listed(gate: ReviewGate, cluster: Cluster) -> None:
    assert await gate.admit("anna") == Admitted("anna", SEES_A)
    assert [spec["audiences"] for spec in cluster.reviews("TokenReview")] == [[AUDIENCE]]


async def test_namespaces_without_rows_are_asked_about_by_name(gate: ReviewGate) -> None:
    found = (await gate.admit("anna", ("team-empty", "team-c"))).viewer
    assert found.namespaces == frozenset({"team-a", "team-empty"})


@pytest.mark.parametrize("token", ["nobody", "old", "ä", "x" * 20_000])
async def test_a_token_that_is_none_is_refused_with_a_remedy(gate: ReviewGate, cluster: Cluster, token: str) -> None:
    status, told = await refused(gate, token)
    assert (status, f"--audience={AUDIENCE}" in told, token in told.split()) == (401, True, False)
    assert cluster.reviews() == [], "of a stranger no rights are asked"


async def test_who_gives_no_token_is_told_where_to_get_one(cluster: Cluster, clock: SkippingClock) -> None:
    gate = ReviewGate(cluster.client, clock, ("https://map.example",), lambda: ())
    told = "no token: get one by kubectl create token SERVICEACCOUNT --audience=https://map.example"
    assert await refused(gate, "") == (401, told)
    assert cluster.reviews("TokenReview") == []


async def test_a_token_for_somebody_else_is_refused(gate: ReviewGate, cluster: Cluster) -> None:
    cluster.users["api"] = ("anna", "https://kubernetes.default.svc")
    assert (await refused(gate, "api"))[0] == 401


async def test_a_token_that_ends_is_refused_soon(gate: ReviewGate, cluster: Cluster, clock: SkippingClock) -> None:
    await gate.admit("anna")
    cluster.users.clear()
    clock.tick(ALLOWED_SECONDS - 0.1)
    assert (await gate.admit("anna")).who == "anna"
    clock.tick(0.2)
    assert (await refused(gate, "anna"))[0] == 401


async def test_an_api_server_that_is_silent_lets_nobody_in_and_refuses_nobody(
    gate: ReviewGate, cluster: Cluster
) -> None:
    await cluster.api.stop()
    assert (await refused(gate, "anna"))[0] == 503
