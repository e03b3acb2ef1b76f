"""May the bearer of this token read that path? Asked of the API server, and remembered for a while.

    token -> TokenReview (who is it?) -> SubjectAccessReview (may it?) -> Decision

Scrapers come every few seconds with the same token, so answers are kept: a yes for a minute, a no for ten seconds.
They are found by a digest: no token stays in memory longer than its request. While the API server does not answer
nothing is decided, which is no refusal: the asker is told to come again.

Anybody can make tokens up. So only a few reviews of strangers are under way at once, and refusals are kept apart: who
was let in before is neither forgotten nor kept waiting because of them.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
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
# Reviews of strangers under way at once, and how long one more waits for its turn.
STRANGERS = 4
_TURN_SECONDS = 2.0


class Verdict(Enum):
    """What becomes of a request."""

    ALLOWED = "allowed"
    UNKNOWN_TOKEN = "unknown token"  # noqa: S105 - a verdict, not a password
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, the user's name ("" when unknown), and a sentence for whoever is refused.

    `subject`: all that a SubjectAccessReview takes of the user, for further questions; empty when unknown.
    """

    verdict: Verdict
    user: str = ""
    message: str = ""
    subject: Manifest = field(default_factory=dict, compare=False)


class Undecided(Exception):
    """The API server gave no answer, or could not be asked now; the text says why. Not a refusal."""


@dataclass(frozen=True, slots=True)
class AuthorizerStatistics:
    """Answers from memory, and reviews made (each one or two requests); those that came to nothing among them.

    `turned_away`: not reviewed, because too many strangers came at once.
    """

    remembered: int
    reviewed: int
    undecided: int
    turned_away: int


@dataclass(frozen=True, slots=True)
class Access:
    """What is asked for: `verb` (lower case) on a path that is no resource; `path` "": only who bears the token.

    `audiences`: whom the token must be for, empty for the API server itself.
    """

    path: str = "/metrics"
    verb: str = "get"
    audiences: tuple[str, ...] = ()


@dataclass(slots=True)
class _Review:
    """One that is under way. `outcome` None once it is done: its asker went away, and somebody else must ask."""

    done: asyncio.Event
    outcome: Decision | Undecided | None = None


class _Answers:
    """Answers of one kind, each good for `seconds`, `capacity` at most. One that is too old still counts as held."""

    def __init__(self, seconds: float, capacity: int, clock: Clock) -> None:
        self._seconds, self._capacity, self._clock = seconds, capacity, clock
        self._held: OrderedDict[bytes, tuple[float, Decision]] = OrderedDict()

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._held

    def get(self, digest: bytes) -> Decision | None:
        until, decision = self._held.get(digest, (0.0, None))
        if decision is None or self._clock.monotonic() >= until:
            return None
        self._held.move_to_end(digest)
        return decision

    def put(self, digest: bytes, decision: Decision) -> None:
        self._held[digest] = (self._clock.monotonic() + self._seconds, decision)
        self._held.move_to_end(digest)
        while len(self._held) > self._capacity:
            self._held.popitem(last=False)

    def forget(self, digest: bytes) -> None:
        self._held.pop(digest, None)


class Authorizer:
    """Decides on one kind of access. Needs `create` on tokenreviews and, but for `path` "", subjectaccessreviews.

    `allowed_seconds` and `denied_seconds`: how long an answer holds, also after the permission has changed. `capacity`:
    how many answers of each kind are kept, the least recently used ones going first. `strangers`: how many tokens that
    were not let in before are reviewed at once.
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
        strangers: int = STRANGERS,
    ) -> None:
        self._client = client
        self._access = access or Access()
        self._clock = clock or RealClock()
        self._allowed = _Answers(allowed_seconds, capacity, self._clock)
        self._refused = _Answers(denied_seconds, capacity, self._clock)
        self._turns = asyncio.Semaphore(strangers)
        self._running: dict[bytes, _Review] = {}
        self._remembered = self._reviewed = self._undecided = self._turned_away = 0
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

    def known(self, token: str) -> Decision | None:
        """What is remembered of `token`, None where the API server would have to be asked."""
        return self._recall(hashlib.sha256(token.encode()).digest())

    def statistics(self) -> AuthorizerStatistics:
        """The figures of this moment."""
        return AuthorizerStatistics(self._remembered, self._reviewed, self._undecided, self._turned_away)

    def _recall(self, digest: bytes) -> Decision | None:
        decision = self._allowed.get(digest) or self._refused.get(digest)
        self._remembered += decision is not None
        return decision

    def _remember(self, digest: bytes, decision: Decision) -> None:
        if decision.verdict is Verdict.ALLOWED:
            self._allowed.put(digest, decision)
        else:
            self._allowed.forget(digest)
            self._refused.put(digest, decision)

    async def _review(self, digest: bytes, token: str) -> Decision:
        review = self._running[digest] = _Review(asyncio.Event())
        try:
            async with self._turn(digest):
                decision = await self._ask_in_time(token)
        except Undecided as error:
            review.outcome = error
            raise
        else:
            review.outcome = decision
            self._remember(digest, decision)
            return decision
        finally:
            del self._running[digest]
            review.done.set()

    @asynccontextmanager
    async def _turn(self, digest: bytes) -> AsyncIterator[None]:
        """Let few strangers in at once. Raises Undecided for one whose turn does not come soon."""
        if digest in self._allowed:
            yield
            return
        try:
            async with asyncio.timeout(_TURN_SECONDS):
                await self._turns.acquire()
        except TimeoutError as error:
            self._turned_away += 1
            raise Undecided("too many tokens that are not known yet are being looked at") from error
        try:
            yield
        finally:
            self._turns.release()

    async def _ask_in_time(self, token: str) -> Decision:
        self._reviewed += 1
        try:
            async with asyncio.timeout(_REVIEW_SECONDS):
                return await self._ask(token)
        except (ApiError, TimeoutError) as error:
            self._undecided += 1
            problem = str(error) or f"nothing within {_REVIEW_SECONDS:g} s"
            self._log.warning("access not decided", path=self._access.path, problem=problem)
            raise Undecided(f"the API server was asked and gave no answer: {problem}") from error

    async def _ask(self, token: str) -> Decision:
        spec: dict[str, Any] = {"token": token}
        if self._access.audiences:
            spec["audiences"] = list(self._access.audiences)
        status = (await self._client.create(TOKEN_REVIEWS, {"metadata": {}, "spec": spec})).get("status") or {}
        if not status.get("authenticated") or not self._meant_for_us(status):
            return Decision(Verdict.UNKNOWN_TOKEN, message="the token is not valid, or not any more; get a new one")
        user = status.get("user") or {}
        if not self._access.path:
            return Decision(Verdict.ALLOWED, str(user.get("username") or ""), subject=_subject(user))
        asked = {"nonResourceAttributes": {"path": self._access.path, "verb": self._access.verb}, **_subject(user)}
        answer = await self._client.create(SUBJECT_ACCESS_REVIEWS, {"metadata": {}, "spec": asked})
        name = str(user.get("username") or "")
        if (answer.get("status") or {}).get("allowed"):
            return Decision(Verdict.ALLOWED, name, subject=_subject(user))
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
