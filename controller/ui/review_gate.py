"""Who is let in by a token that the cluster knows: whom the API server vouches for, for our audience."""

from collections.abc import Callable, Collection
from typing import Final

from controller.runtime.authorization import Access, Authorizer, Undecided, Verdict
from controller.runtime.client.client import Client
from controller.runtime.clock import Clock
from controller.ui.gate import CHALLENGE, Admitted, NotLetIn
from controller.ui.rights import ALLOWED_SECONDS, Rights

#: Whom tokens must be for unless told otherwise: one for the API server itself is more than a page should be given.
AUDIENCE: Final = "aim-gpu-ui"
_LONGEST_TOKEN: Final = 16_384
_RETRY: Final = {"Retry-After": "2"}


class ReviewGate:
    """Lets in whoever bears a token for one of `audiences`; what they see is what they may list.

    `namespaces`: those that have rows now. `client` needs `create` on tokenreviews and subjectaccessreviews.
    """

    def __init__(
        self, client: Client, clock: Clock, audiences: tuple[str, ...], namespaces: Callable[[], Collection[str]]
    ) -> None:
        access = Access(path="", audiences=audiences)
        self._authorizer = Authorizer(client, access, clock=clock, allowed_seconds=ALLOWED_SECONDS)
        self._rights = Rights(client, clock)
        self._audiences, self._namespaces = audiences, namespaces

    async def admit(self, token: str, also: Collection[str] = ()) -> Admitted:
        """Who bears it, and what they may list. Raises NotLetIn: 401 for a token that is none, 503 for no answer."""
        if not token:
            raise NotLetIn(401, f"no token: {self._remedy()}", CHALLENGE)
        if len(token) > _LONGEST_TOKEN or not token.isascii():
            raise NotLetIn(401, f"the token is none: {self._remedy()}", CHALLENGE)
        try:
            decision = await self._authorizer.decide(token)
            if decision.verdict is not Verdict.ALLOWED:
                raise NotLetIn(
                    401, f"the token is not valid, has ended, or is for somebody else: {self._remedy()}", CHALLENGE
                )
            viewer = await self._rights.viewer(decision.subject, {*self._namespaces(), *also})
        except Undecided as error:
            raise NotLetIn(503, f"{error}; it is tried again", _RETRY) from error
        return Admitted(decision.user, viewer)

    def _remedy(self) -> str:
        return f"get one by kubectl create token SERVICEACCOUNT --audience={self._audiences[0]}"
