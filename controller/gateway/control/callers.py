"""Who shows a token: the holder of an API key, or a ServiceAccount whose token the API server knows.

A key is found by its digest at once. Any other token that has the form of the API server's own is reviewed there, for
our audience, and remembered for a minute; one that has not is nobody's, so that guesses at keys cost no review.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from controller.gateway.configuration import Caller
from controller.gateway.errors import Problem
from controller.runtime.authorization import Authorizer, Decision, Undecided, Verdict

if TYPE_CHECKING:
    from controller.gateway.gateway import Found

_SERVICE_ACCOUNT: Final = ("system", "serviceaccount")
_JWT_DOTS: Final = 2
_LONGEST_TOKEN: Final = 16_384
_RETRY_SECONDS: Final = 2.0


class Callers:
    """Finds callers. `authorizer` None: tokens are not reviewed. `replace` says who is who from then on."""

    def __init__(self, authorizer: Authorizer | None) -> None:
        self._authorizer = authorizer
        self._keys: Mapping[bytes, Caller] = MappingProxyType({})
        self._terms: Callable[[str, str], Caller] = _no_terms
        self._accounts: dict[str, Caller | Problem] = {}

    def replace(self, keys: Mapping[bytes, Caller], terms: Callable[[str, str], Caller]) -> None:
        """Take other keys, and other terms of ServiceAccounts (by namespace and name)."""
        self._keys, self._terms = keys, terms
        self._accounts.clear()

    def find(self, token: bytes) -> "Found | Awaitable[Found]":
        """The caller, None for a token that nobody has."""
        caller = self._keys.get(hashlib.sha256(token).digest())
        if caller is not None or self._authorizer is None:
            return caller
        text = _reviewable(token)
        if text is None:
            return None
        known = self._authorizer.known(text)
        return self._review(self._authorizer, text) if known is None else self._judged(known)

    async def _review(self, authorizer: Authorizer, token: str) -> "Found":
        try:
            return self._judged(await authorizer.decide(token))
        except Undecided as error:
            return Problem(503, "AuthenticationUnavailable", f"{error}: ask again", retry_after=_RETRY_SECONDS)

    def _judged(self, decision: Decision) -> "Found":
        if decision.verdict is not Verdict.ALLOWED:
            return None
        found = self._accounts.get(decision.user)
        if found is None:
            found = self._accounts[decision.user] = self._account(decision.user)
        return found

    def _account(self, user: str) -> Caller | Problem:
        parts = tuple(user.split(":"))
        if len(parts) != 4 or parts[:2] != _SERVICE_ACCOUNT:
            return Problem(
                403, "NoTenant", f"user {user!r} is of no namespace: use a ServiceAccount's token, or an API key"
            )
        return self._terms(parts[2], user)


def _reviewable(token: bytes) -> str | None:
    """The token as text, if it has the form of a JSON Web Token."""
    if token.count(b".") != _JWT_DOTS or len(token) > _LONGEST_TOKEN or not token.isascii():
        return None
    return token.decode("ascii")


def _no_terms(tenant: str, name: str) -> Caller:
    return Caller(tenant, name, namespaces=frozenset({tenant}))
