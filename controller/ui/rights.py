"""What somebody may list, asked of the API server by SubjectAccessReviews, and remembered for seconds.

    user -> all namespaces? else each that has rows -> Viewer

A right that is taken away is missed within `ALLOWED_SECONDS`, one that is given within `DENIED_SECONDS`. Silence is no
answer: nothing is shown by it.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

import orjson
import structlog

from controller.runtime.authorization import Undecided
from controller.runtime.client.client import Client
from controller.runtime.client.core import SUBJECT_ACCESS_REVIEWS
from controller.runtime.client.errors import ApiError
from controller.runtime.client.resource import Resource
from controller.runtime.clock import Clock
from controller.state.kinds import (
    GPU_NODES,
    GPU_PARTITION_CLAIMS,
    INFERENCE_SERVICES,
    MODEL_PROFILES,
    REPARTITION_PLANS,
)
from controller.ui.viewer import Viewer

#: How long a yes holds: a right that ended is used for so long at most.
ALLOWED_SECONDS: Final = 5.0
#: How long a no holds. Most questions of a person with few namespaces are answered so.
DENIED_SECONDS: Final = 30.0
#: Answers that are kept, the least recently used going first.
CAPACITY: Final = 20_000
#: Namespaces that one person is asked about, the first by name; of others they see counts.
MOST_NAMESPACES: Final = 512
#: Reviews under way at once, for all.
AT_ONCE: Final = 8
#: Longest that all reviews for one request may take.
REVIEW_SECONDS: Final = 8.0


class Right(NamedTuple):
    """To list a kind; `namespace` empty: in all of them, or of a kind that is in none."""

    resource: Resource
    namespace: str = ""


_IN_ALL: Final = tuple(map(Right, (GPU_NODES, REPARTITION_PLANS, MODEL_PROFILES)))
_IN_NAMESPACES: Final = (GPU_PARTITION_CLAIMS, INFERENCE_SERVICES)


class Rights:
    """Asks by `client`, which needs `create` on subjectaccessreviews."""

    def __init__(self, client: Client, clock: Clock, *, capacity: int = CAPACITY) -> None:
        self._client, self._clock, self._capacity = client, clock, capacity
        self._known: OrderedDict[tuple[bytes, Right], tuple[float, bool]] = OrderedDict()
        self._one_a_person: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._too_many = False
        self._log = structlog.get_logger(__name__)

    async def viewer(self, subject: Mapping[str, Any], namespaces: Collection[str]) -> Viewer:
        """What the user of a TokenReview sees of these namespaces and of what is in none. Raises Undecided."""
        person = hashlib.sha256(orjson.dumps(subject, option=orjson.OPT_SORT_KEYS)).digest()
        lock = self._one_a_person.setdefault(person, asyncio.Lock())
        async with lock:
            try:
                async with asyncio.timeout(REVIEW_SECONDS):
                    return await self._viewer(person, subject, namespaces)
            except TimeoutError as error:
                raise Undecided(f"the API server did not say within {REVIEW_SECONDS:g} s what may be seen") from error

    async def _viewer(self, person: bytes, subject: Mapping[str, Any], namespaces: Collection[str]) -> Viewer:
        everywhere = [Right(resource) for resource in _IN_NAMESPACES]
        wide = await self._allowed(person, subject, [*_IN_ALL, *everywhere])
        nodes, plans, profiles = (right in wide for right in _IN_ALL)
        seen: frozenset[str] | None = None
        if not wide.issuperset(everywhere):
            names = self._bounded(namespaces)
            # one kind after the other: where the first is refused the second is not asked
            for right in everywhere:
                if right not in wide:
                    found = await self._allowed(person, subject, [Right(right.resource, name) for name in names])
                    names = [name for name in names if Right(right.resource, name) in found]
            seen = frozenset(names)
        return Viewer(seen, plans=plans, nodes=nodes, profiles=profiles)

    def _bounded(self, namespaces: Collection[str]) -> list[str]:
        names = sorted(set(namespaces))
        self._tell_of(len(names))
        return names[:MOST_NAMESPACES]

    def _tell_of(self, count: int) -> None:
        """Log that there are too many namespaces once when it begins, and once when it ends: pages ask all the time."""
        too_many, told = count > MOST_NAMESPACES, self._too_many
        self._too_many = too_many
        if too_many and not told:
            self._log.warning("too many namespaces to ask about", namespaces=count, asked=MOST_NAMESPACES)
        elif told and not too_many:
            self._log.info("all namespaces are asked about again", namespaces=count)

    async def _allowed(self, person: bytes, subject: Mapping[str, Any], rights: Iterable[Right]) -> set[Right]:
        """Those of the rights that the person has."""
        found: set[Right] = set()
        failed: list[ApiError] = []

        async def ask(right: Right) -> None:
            async with self._turns:
                try:
                    allowed = await self._ask(subject, right)
                except ApiError as error:
                    failed.append(error)
                    return
            self._remember(person, right, allowed=allowed)
            if allowed:
                found.add(right)

        async with asyncio.TaskGroup() as group:
            for right in rights:
                known = self._recall(person, right)
                if known is None:
                    group.create_task(ask(right))
                elif known:
                    found.add(right)
        if failed:
            self._log.warning("rights not decided", problem=str(failed[0]))
            raise Undecided(f"the API server did not say what may be seen: {failed[0]}") from failed[0]
        return found

    def _recall(self, person: bytes, right: Right) -> bool | None:
        until, allowed = self._known.get((person, right), (0.0, False))
        if self._clock.monotonic() >= until:
            return None
        self._known.move_to_end((person, right))
        return allowed

    def _remember(self, person: bytes, right: Right, *, allowed: bool) -> None:
        until = self._clock.monotonic() + (ALLOWED_SECONDS if allowed else DENIED_SECONDS)
        self._known[person, right] = (until, allowed)
        self._known.move_to_end((person, right))
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)

    async def _ask(self, subject: Mapping[str, Any], right: Right) -> bool:
        attributes = {
            "verb": "list",
            "group": right.resource.group,
            "resource": right.resource.plural,
            "namespace": right.namespace,
        }
        review = {"metadata": {}, "spec": {"resourceAttributes": attributes, **subject}}
        answer = await self._client.create(SUBJECT_ACCESS_REVIEWS, review)
        return bool((answer.get("status") or {}).get("allowed"))
