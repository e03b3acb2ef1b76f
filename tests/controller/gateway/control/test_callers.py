import asyncio
import hashlib
from typing import cast

import pytest

from controller.gateway.configuration import Caller
from controller.gateway.control.callers import Callers
from controller.gateway.errors import Problem
from controller.runtime.authorization import Authorizer, Decision, Undecided, Verdict

KEY = Caller("team-a", "ci", namespaces=frozenset({"team-a"}))
ACCOUNT = "system:serviceaccount:team-b:robot"


class Reviews:
    """Stands for the API server's judgement: tokens by what becomes of them."""

    def __init__(self) -> None:
        self.remembered: dict[str, Decision] = {}
        self.answers: dict[str, Decision | Undecided] = {
            "a.b.c": Decision(Verdict.ALLOWED, ACCOUNT),
            "o.i.d": Decision(Verdict.ALLOWED, "jane@example.com"),
            "b.a.d": Decision(Verdict.UNKNOWN_TOKEN),
            "s.l.w": Undecided("the API server was asked and gave no answer: timeout"),
        }
        self.asked: list[str] = []

    def known(self, token: str) -> Decision | None:
        return self.remembered.get(token)

    async def decide(self, token: str) -> Decision:
        self.asked.append(token)
        await asyncio.sleep(0)
        answer = self.answers[token]
        if isinstance(answer, Undecided):
            raise answer
        self.remembered[token] = answer
        return answer


@pytest.fixture
def reviews() -> Reviews:
    return Reviews()


@pytest.fixture
def callers(reviews: Reviews) -> Callers:
    made = Callers(cast("Authorizer", reviews))
    made.replace({hashlib.sha256(b"sk-1").digest(): KEY}, lambda tenant, name: Caller(tenant, name, "batch"))
    return made


async def found(callers: Callers, token: bytes) -> Caller | Problem | None:
    answer = callers.find(token)
    return answer if answer is None or isinstance(answer, Caller | Problem) else await answer


async def test_a_key_is_found_at_once(callers: Callers, reviews: Reviews) -> None:
    assert callers.find(b"sk-1") is KEY
    assert reviews.asked == []


@pytest.mark.parametrize("token", [b"sk-2", b"", b"a.b", b"a.b.c.d", "ü.b.c".encode(), b"a.b." + b"c" * 20_000])
async def test_a_guess_at_a_key_is_nobodys_and_costs_no_review(
    callers: Callers, reviews: Reviews, token: bytes
) -> None:
    assert callers.find(token) is None
    assert reviews.asked == []


async def test_a_service_account_is_a_caller_of_its_namespace_on_its_terms(callers: Callers) -> None:
    assert await found(callers, b"a.b.c") == Caller("team-b", ACCOUNT, "batch")


async def test_who_was_reviewed_is_found_at_once(callers: Callers, reviews: Reviews) -> None:
    await found(callers, b"a.b.c")
    assert callers.find(b"a.b.c") == Caller("team-b", ACCOUNT, "batch")
    assert reviews.asked == ["a.b.c"]


async def test_other_terms_hold_at_once(callers: Callers) -> None:
    await found(callers, b"a.b.c")
    callers.replace({}, Caller)
    assert callers.find(b"a.b.c") == Caller("team-b", ACCOUNT)
    assert callers.find(b"sk-1") is None


async def test_a_token_of_no_service_account_has_no_tenant(callers: Callers) -> None:
    problem = await found(callers, b"o.i.d")
    assert isinstance(problem, Problem)
    assert (problem.status, problem.reason) == (403, "NoTenant")


async def test_a_token_the_api_server_does_not_know_is_nobodys(callers: Callers) -> None:
    assert await found(callers, b"b.a.d") is None


async def test_silence_is_no_refusal(callers: Callers) -> None:
    problem = await found(callers, b"s.l.w")
    assert isinstance(problem, Problem)
    assert (problem.status, problem.reason, problem.retry_after) == (503, "AuthenticationUnavailable", 2.0)


async def test_where_tokens_are_not_reviewed_only_keys_count() -> None:
    assert Callers(None).find(b"a.b.c") is None


@pytest.mark.parametrize(
    "user", ["system:node:team-a", "oidc:x:team-a:y", "system:serviceaccount:team-a:x:y", "system"]
)
async def test_only_a_service_account_is_of_a_namespace(callers: Callers, reviews: Reviews, user: str) -> None:
    reviews.answers["o.t.h"] = Decision(Verdict.ALLOWED, user)
    answer = await found(callers, b"o.t.h")
    assert isinstance(answer, Problem)
    assert (answer.status, answer.reason) == (403, "NoTenant")
