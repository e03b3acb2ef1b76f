"""Who may read: asked once, remembered for a while, and never decided by silence."""

import asyncio
from typing import Any

import orjson
import pytest
import structlog
from aiohttp import web

from controller.runtime.authorization import (
    ALLOWED_SECONDS,
    DENIED_SECONDS,
    STRANGERS,
    Access,
    Authorizer,
    Decision,
    Undecided,
    Verdict,
)
from controller.runtime.client.client import Client
from controller.runtime.client.core import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS
from tests.controller.runtime.conftest import Eventually
from tests.fakes.api_server import FakeApiServer, status
from tests.fakes.clock import SkippingClock

USERS = {"good": "scraper", "poor": "visitor"}


class Judge:
    """Answers reviews as an API server does that knows the tokens above and lets the scraper in."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.audiences: list[str] | None = None
        self.hold = asyncio.Event()
        self.hold.set()
        self.waiting = 0
        self.known_pass = False

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        review = orjson.loads(await request.read())
        self.asked.append(review)
        self.waiting += 1
        known = review["spec"].get("token", "good") in USERS
        if not (known and self.known_pass):
            await self.hold.wait()
        self.waiting -= 1
        spec = review["spec"]
        if review["kind"] == "TokenReview":
            review["status"] = self._known(spec["token"])
        else:
            review["status"] = {"allowed": spec["user"] == "scraper", "reason": "RBAC"}
        return web.json_response(review, status=201)

    def _known(self, token: str) -> dict[str, Any]:
        if token not in USERS:
            return {"error": "invalid bearer token"}
        user = {"username": USERS[token], "uid": "u", "groups": ["g"], "extra": {"e": ["1"]}}
        return {"authenticated": True, "user": user, "audiences": self.audiences}


@pytest.fixture
def judge(api: FakeApiServer) -> Judge:
    api.serve(TOKEN_REVIEWS)
    api.serve(SUBJECT_ACCESS_REVIEWS)
    judge = Judge()
    api.play(*[judge] * 200, on="POST")
    return judge


@pytest.fixture
def authorizer(client: Client, clock: SkippingClock, judge: Judge) -> Authorizer:
    return Authorizer(client, clock=clock)


@pytest.mark.parametrize(
    ("token", "want", "user"),
    [
        pytest.param("good", Verdict.ALLOWED, "scraper", id="known and permitted"),
        pytest.param("poor", Verdict.FORBIDDEN, "visitor", id="known and not permitted"),
        pytest.param("garbage", Verdict.UNKNOWN_TOKEN, "", id="not known"),
    ],
)
async def test_a_token_is_decided_on(authorizer: Authorizer, token: str, want: Verdict, user: str) -> None:
    decision = await authorizer.decide(token)
    assert (decision.verdict, decision.user) == (want, user)


async def test_all_that_is_known_of_the_user_is_asked_about(authorizer: Authorizer, judge: Judge) -> None:
    await authorizer.decide("good")
    assert judge.asked[1]["spec"] == {
        "user": "scraper",
        "uid": "u",
        "groups": ["g"],
        "extra": {"e": ["1"]},
        "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
    }


async def test_a_refusal_names_the_missing_permission(authorizer: Authorizer) -> None:
    message = (await authorizer.decide("poor")).message
    assert "'visitor' may not get /metrics" in message
    assert "nonResourceURLs [/metrics] and verbs [get]" in message


@pytest.mark.parametrize(
    ("token", "requests", "seconds"),
    [
        pytest.param("good", 2, ALLOWED_SECONDS, id="a yes for a minute"),
        pytest.param("poor", 2, DENIED_SECONDS, id="a no for ten seconds"),
        pytest.param("garbage", 1, DENIED_SECONDS, id="an unknown token for ten seconds"),
    ],
)
async def test_an_answer_holds(
    authorizer: Authorizer, judge: Judge, clock: SkippingClock, token: str, requests: int, seconds: float
) -> None:
    await authorizer.decide(token)
    clock.tick(seconds - 0.1)
    await authorizer.decide(token)
    assert len(judge.asked) == requests
    clock.tick(0.2)
    await authorizer.decide(token)
    assert len(judge.asked) == 2 * requests
    assert authorizer.statistics().remembered == 1


async def test_the_least_recently_used_answers_are_forgotten(
    client: Client, clock: SkippingClock, judge: Judge
) -> None:
    authorizer = Authorizer(client, clock=clock, capacity=2)
    for token in ("good", "a", "good", "b", "good"):
        await authorizer.decide(token)
    assert [review["spec"].get("token") for review in judge.asked] == ["good", None, "a", "b"]


async def test_made_up_tokens_push_nobody_out_who_was_let_in(
    client: Client, clock: SkippingClock, judge: Judge
) -> None:
    authorizer = Authorizer(client, clock=clock, capacity=2)
    await authorizer.decide("good")
    for number in range(10):
        await authorizer.decide(f"made-up-{number}")
    assert len(judge.asked) == 2 + 10
    assert (await authorizer.decide("good")).verdict is Verdict.ALLOWED
    assert len(judge.asked) == 2 + 10
    await authorizer.decide("made-up-0")
    assert len(judge.asked) == 2 + 11, "refusals are bounded, too"


async def test_few_strangers_are_reviewed_at_once_and_the_rest_is_turned_away(
    authorizer: Authorizer, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.runtime.authorization._TURN_SECONDS", 0.1)
    judge.hold.clear()
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(undecided(authorizer, f"made-up-{number}")) for number in range(50)]
        await asyncio.wait(asked[STRANGERS:])
        assert judge.waiting == len(judge.asked) == STRANGERS
        judge.hold.set()
    assert [task.result() for task in asked].count("") == STRANGERS
    assert "too many tokens that are not known yet" in asked[-1].result()
    assert authorizer.statistics().turned_away == 50 - STRANGERS


async def test_who_was_let_in_before_waits_for_no_strangers(
    authorizer: Authorizer, judge: Judge, clock: SkippingClock, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("_TURN_SECONDS", "_REVIEW_SECONDS"):  # longer than the machine can be busy
        monkeypatch.setattr(f"controller.runtime.authorization.{limit}", 1000.0)
    await authorizer.decide("good")
    clock.tick(ALLOWED_SECONDS + 1)
    judge.hold.clear()
    judge.known_pass = True
    async with asyncio.TaskGroup() as tasks:
        strangers = [tasks.create_task(undecided(authorizer, f"made-up-{number}")) for number in range(20)]
        await eventually(lambda: judge.waiting == STRANGERS)
        async with asyncio.timeout(30):
            assert (await authorizer.decide("good")).verdict is Verdict.ALLOWED
        for stranger in strangers:
            stranger.cancel()


async def test_who_is_not_let_in_any_more_is_a_stranger_again(
    authorizer: Authorizer, judge: Judge, clock: SkippingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await authorizer.decide("good")
    clock.tick(ALLOWED_SECONDS + 1)
    monkeypatch.delitem(USERS, "good")
    assert (await authorizer.decide("good")).verdict is Verdict.UNKNOWN_TOKEN
    clock.tick(DENIED_SECONDS + 1)
    judge.hold.clear()
    monkeypatch.setattr("controller.runtime.authorization._TURN_SECONDS", 0.1)
    async with asyncio.TaskGroup() as tasks:
        first = [tasks.create_task(undecided(authorizer, f"made-up-{number}")) for number in range(STRANGERS)]
        await asyncio.sleep(0)
        assert "too many tokens" in await undecided(authorizer, "good")
        judge.hold.set()
    assert all(task.result() == "" for task in first)


async def undecided(authorizer: Authorizer, token: str) -> str:
    """Why nothing was decided; "" when it was."""
    try:
        await authorizer.decide(token)
    except Undecided as error:
        return str(error)
    return ""


async def test_who_asks_at_once_shares_one_review(authorizer: Authorizer, judge: Judge) -> None:
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(authorizer.decide("good")) for _ in range(50)]
    assert {(await one).verdict for one in asked} == {Verdict.ALLOWED}
    assert len(judge.asked) == 2


async def test_who_goes_away_takes_nothing_from_the_others(authorizer: Authorizer, judge: Judge) -> None:
    judge.hold.clear()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(authorizer.decide("good"))
        others = [tasks.create_task(authorizer.decide("good")) for _ in range(3)]
        async with asyncio.timeout(30):
            while not judge.waiting:  # noqa: ASYNC110 - the fake has nobody to tell
                await asyncio.sleep(0.002)
        first.cancel()
        await asyncio.sleep(0)
        judge.hold.set()
    assert {(await one).verdict for one in others} == {Verdict.ALLOWED}


async def test_silence_is_no_refusal_and_is_not_remembered(
    api: FakeApiServer, client: Client, clock: SkippingClock
) -> None:
    authorizer = Authorizer(client, clock=clock)
    await api.stop()
    results: list[Decision | Undecided] = []

    async def ask() -> None:
        try:
            results.append(await authorizer.decide("good"))
        except Undecided as error:
            results.append(error)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(ask())
    assert len({str(result) for result in results}) == 1
    assert "gave no answer" in str(results[0])
    assert authorizer.statistics().reviewed == authorizer.statistics().undecided == 1
    await api.start()
    api.play(Judge(), Judge(), on="POST")
    assert (await authorizer.decide("good")).verdict is Verdict.ALLOWED


async def test_a_review_that_is_forbidden_to_us_is_no_refusal_of_others(
    api: FakeApiServer, client: Client, clock: SkippingClock
) -> None:
    async def forbids(_: web.Request) -> web.StreamResponse:
        return status(403, "Forbidden", "cannot create tokenreviews")

    api.play(forbids, on="POST")
    with pytest.raises(Undecided, match="cannot create tokenreviews"):
        await Authorizer(client, clock=clock).decide("good")


@pytest.mark.parametrize(
    ("audiences", "want"),
    [
        pytest.param(["metrics"], Verdict.ALLOWED, id="a token for us"),
        pytest.param(["other"], Verdict.UNKNOWN_TOKEN, id="a token for somebody else"),
        pytest.param(None, Verdict.UNKNOWN_TOKEN, id="an authenticator that does not say"),
    ],
)
async def test_a_token_must_be_meant_for_us(
    client: Client, clock: SkippingClock, judge: Judge, audiences: list[str] | None, want: Verdict
) -> None:
    judge.audiences = audiences
    decision = await Authorizer(client, Access(audiences=("metrics",)), clock=clock).decide("good")
    assert decision.verdict is want
    assert judge.asked[0]["spec"]["audiences"] == ["metrics"]


async def test_the_token_is_neither_kept_nor_logged(api: FakeApiServer, client: Client, clock: SkippingClock) -> None:
    with structlog.testing.capture_logs() as logs:
        authorizer = Authorizer(client, clock=clock)
        api.play(Judge(), Judge(), on="POST")
        await authorizer.decide("good")
        await api.stop()
        with pytest.raises(Undecided):
            await authorizer.decide("top-secret")
    assert "top-secret" not in str(logs) + str(vars(authorizer))
    assert "good" not in str(vars(authorizer))


async def test_without_a_path_it_is_asked_only_who_bears_the_token(
    client: Client, clock: SkippingClock, judge: Judge
) -> None:
    judge.audiences = ["us"]
    authorizer = Authorizer(client, Access(path="", audiences=("us",)), clock=clock)
    decision = await authorizer.decide("poor")
    assert (decision.verdict, decision.user) == (Verdict.ALLOWED, "visitor")
    assert [review["kind"] for review in judge.asked] == ["TokenReview"]


async def test_what_is_remembered_is_told_without_asking(
    authorizer: Authorizer, clock: SkippingClock, judge: Judge
) -> None:
    assert authorizer.known("good") is None
    decided = await authorizer.decide("good")
    asked = len(judge.asked)
    assert authorizer.known("good") == decided
    clock.tick(ALLOWED_SECONDS + 0.1)
    assert authorizer.known("good") is None
    assert len(judge.asked) == asked
