"""An API server that answers reviews alone: who bears which token, and what they may list."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiohttp import web

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS
from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import SkippingClock

AUDIENCE: Final = "aim-gpu-ui"
OURS: Final = ("gpupartitionclaims", "inferenceservices")


@dataclass
class Cluster:
    """`users` by token, with the audience that the token is for; `may`: user, kind and namespace ("": all)."""

    api: FakeApiServer
    client: Client
    users: dict[str, tuple[str, str]] = field(default_factory=lambda: {"anna": ("anna", AUDIENCE)})
    may: set[tuple[str, str, str]] = field(default_factory=set)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def let(self, user: str, *namespaces: str) -> None:
        """Let somebody list claims and services there."""
        self.may |= {(user, kind, namespace) for kind in OURS for namespace in namespaces}

    def reviews(self, kind: str = "SubjectAccessReview") -> list[dict[str, Any]]:
        """What was asked so far."""
        return [each["spec"] for each in self.asked if each["kind"] == kind]

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        review = orjson.loads(await request.read())
        self.asked.append(review)
        spec = review["spec"]
        review["status"] = self._who(spec) if review["kind"] == "TokenReview" else {"allowed": self._may(spec)}
        return web.json_response(review, status=201)

    def _who(self, spec: dict[str, Any]) -> dict[str, Any]:
        name, audience = self.users.get(spec["token"], ("", ""))
        if not name or audience not in spec["audiences"]:
            return {"error": "invalid bearer token"}
        return {"authenticated": True, "user": {"username": name, "groups": ["all"]}, "audiences": [audience]}

    def _may(self, spec: dict[str, Any]) -> bool:
        asked = spec["resourceAttributes"]
        assert (asked["verb"], asked["group"], spec["groups"]) == ("list", "aim.amd.com", ["all"])
        place = (spec["user"], asked["resource"])
        return (*place, "") in self.may or (*place, asked["namespace"]) in self.may


@asynccontextmanager
async def reviewing(clock: SkippingClock | None = None) -> AsyncIterator[Cluster]:
    """Such a server, while the context lasts."""
    clock = clock or SkippingClock()
    async with (
        FakeApiServer() as api,
        Client(ClientConfiguration(server=api.url, token="ours"), clock=clock) as client,
    ):
        api.serve(TOKEN_REVIEWS)
        api.serve(SUBJECT_ACCESS_REVIEWS)
        cluster = Cluster(api, client)
        api.play(*[cluster] * 4000, on="POST")
        yield cluster
