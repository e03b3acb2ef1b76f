"""May the bearer of this token read that path? Asked of the API server, and remembered for a while.

    token -> TokenReview (who is it?) -> SubjectAccessReview (may it?) -> Decision

Scrapers come every few seconds with the same token, so answers are kept: a yes for a minute, a no for ten seconds.
They are found by a digest: no token stays in memory longer than its request. While the API server does not answer
nothing is decided, which is no refusal: the asker is told to come again.
"""

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import Any

import structlog

from controller.runtime.client.client import Client
from controller.runtime.client.core import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS
from controller.runtime.client.errors import ApiError
from controller.runtime.clock import Clock, RealClock
from controller.runtime.manifest import Manifest

ALLOWED_SECONDS = 60.0
DENIED_SECONDS = 10.0
CAPACITY = 1024
# Two requests to the API server; a scraper gives up after ten seconds anyway.
_REVIEW_SECONDS = 8.0


class Verdict(Enum):
    """What becomes of a request."""

    ALLOWED = "allowed"
    UNKNOWN_TOKEN = "unknown token"  # noqa: S105 - a verdict, not a password
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, the user's name ("" when unknown), and a sentence for whoever is refused."""

    verdict: Verdict
    user: str = ""
    message: str = ""


class Undecided(Exception):
    """The API server gave no answer; the text says why. Not a refusal."""


@dataclass(frozen=True, slots=True)
class AuthorizerStatistics:
    """Answers from memory, and reviews made (each one or two requests); those that came to nothing among them."""

    remembered: int
    reviewed: int
    undecided: int


@dataclass(frozen=True, slots=True)
class Access:
    """What is asked for: `verb` (lower case) on a path that is no resource. `audiences`: whom the token must be for,
    empty for the API server itself.
    """

    path: str = "/metrics"
    verb: str = "get"
    audiences: tuple[str, ...] = ()


@dataclass(slots=True)
class _Review:
    """One that is under way. `outcome` None once it is done: its asker went away, and somebody else must ask."""

    done: asyncio.Event
    outcome: Decision | Undecided | None = None


class Authorizer:
    """Decides on one kind of access. Needs `create` on tokenreviews and subjectaccessreviews.

    `allowed_seconds` and `denied_seconds`: how long an answer holds, also after the permission has changed. `capacity`:
    how many answers are kept, the least recently used ones going first.
    """

    def __init__(
        self,
        client: Client,
        access: Access | None = None,
        *,
        clock: Clock | None = None,
        allowed_seconds: float = ALLOWED_SECONDS,
        denied_seconds: float = DENIED_SECONDS,
        capacity: int = CAPACITY,
    ) -> None:
        self._client = client
        self._access = access or Access()
        self._clock = clock or RealClock()
        self._allowed_seconds, self._denied_seconds = allowed_seconds, denied_seconds
        self._capacity = capacity
        self._answers: OrderedDict[bytes, tuple[float, Decision]] = OrderedDict()
        self._running: dict[bytes, _Review] = {}
        self._remembered = self._reviewed = self._undecided = 0
        self._log = structlog.get_logger(__name__)

    async def decide(self, token: str) -> Decision:
        """Who bears `token`, and whether they may. Raises Undecided.

        Everybody who asks for the same token meanwhile waits for the same review. Whoever is cancelled takes nothing
        from the others: the next of them asks again.
        """
        digest = hashlib.sha256(token.encode()).digest()
        while True:
            if (kept := self._recall(digest)) is not None:
                return kept
            running = self._running.get(digest)
            if running is None:
                return await self._review(digest, token)
            await running.done.wait()
            if isinstance(running.outcome, Undecided):
                raise Undecided(str(running.outcome)) from running.outcome
            if running.outcome is not None:
                return running.outcome

    def statistics(self) -> AuthorizerStatistics:
        """The figures of this moment."""
        return AuthorizerStatistics(self._remembered, self._reviewed, self._undecided)

    def _recall(self, digest: bytes) -> Decision | None:
        until, decision = self._answers.get(digest, (0.0, None))
        if decision is None or self._clock.monotonic() >= until:
            return None
        self._answers.move_to_end(digest)
        self._remembered += 1
        return decision

    def _remember(self, digest: bytes, decision: Decision) -> None:
        seconds = self._allowed_seconds if decision.verdict is Verdict.ALLOWED else self._denied_seconds
        self._answers[digest] = (self._clock.monotonic() + seconds, decision)
        self._answers.move_to_end(digest)
        while len(self._answers) > self._capacity:
            self._answers.popitem(last=False)

    async def _review(self, digest: bytes, token: str) -> Decision:
        review = self._running[digest] = _Review(asyncio.Event())
        self._reviewed += 1
        try:
            async with asyncio.timeout(_REVIEW_SECONDS):
                decision = await self._ask(token)
        except (ApiError, TimeoutError) as error:
            self._undecided += 1
            problem = str(error) or f"nothing within {_REVIEW_SECONDS:g} s"
            self._log.warning("access not decided", path=self._access.path, problem=problem)
            review.outcome = Undecided(f"the API server was asked and gave no answer: {problem}")
            raise review.outcome from error
        else:
            review.outcome = decision
            self._remember(digest, decision)
            return decision
        finally:
            del self._running[digest]
            review.done.set()

    async def _ask(self, token: str) -> Decision:
        spec: dict[str, Any] = {"token": token}
        if self._access.audiences:
            spec["audiences"] = list(self._access.audiences)
        status = (await self._client.create(TOKEN_REVIEWS, {"metadata": {}, "spec": spec})).get("status") or {}
        if not status.get("authenticated") or not self._meant_for_us(status):
            return Decision(Verdict.UNKNOWN_TOKEN, message="the token is not valid, or not any more; get a new one")
        user = status.get("user") or {}
        asked = {"nonResourceAttributes": {"path": self._access.path, "verb": self._access.verb}, **_subject(user)}
        answer = await self._client.create(SUBJECT_ACCESS_REVIEWS, {"metadata": {}, "spec": asked})
        name = str(user.get("username") or "")
        if (answer.get("status") or {}).get("allowed"):
            return Decision(Verdict.ALLOWED, name)
        return Decision(Verdict.FORBIDDEN, name, self._missing(name))

    def _meant_for_us(self, status: Manifest) -> bool:
        """An authenticator that knows nothing of audiences leaves them out, and must then not be trusted on them."""
        wanted = self._access.audiences
        return not wanted or bool(set(wanted) & set(status.get("audiences") or ()))

    def _missing(self, name: str) -> str:
        access = self._access
        return (
            f"user {name!r} may not {access.verb} {access.path}; grant it with a ClusterRole whose rule has "
            f"nonResourceURLs [{access.path}] and verbs [{access.verb}], and a ClusterRoleBinding"
        )


def _subject(user: Manifest) -> Manifest:
    """A TokenReview's user as a SubjectAccessReview wants it."""
    named = {"user": user.get("username"), "groups": user.get("groups"), "uid": user.get("uid")}
    return {**{name: value for name, value in named.items() if value}, "extra": user.get("extra") or {}}
