"""Writes every object of a CustomResourceDefinition again, so that all are stored in its present storage version.

    storedVersions is [storage version]? done : pages of objects -> each PUT as it was read -> storedVersions trimmed

An API server stores an object in the version of its last write, and `status.storedVersions` remembers every version
that may be in the store; none of them can be removed from the definition. Runs as the leader, since one is enough.

How far it got is kept in a ConfigMap, so that another leader goes on from there. Whatever goes wrong, it is safe to
begin again: an object that is stored in the present version already is not written a second time by the API server.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec
import structlog
from opentelemetry.metrics import Meter, NoOpMeter

from controller.runtime.cache.backoff import Backoff
from controller.runtime.client.client import Client, Selection
from controller.runtime.client.core import CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS
from controller.runtime.client.errors import ApiError, BadRequest, Conflict, Forbidden, Gone, Invalid, NotFound
from controller.runtime.client.resource import Resource
from controller.runtime.clock import Clock, RealClock
from controller.runtime.instrumentation import counter_on, gauge_on
from controller.runtime.instruments import MIGRATED_OBJECTS, MIGRATION_PENDING
from controller.runtime.manifest import Manifest, generation_of, key_of, uid_of, version_of

#: Between two looks at definitions that need nothing, give or take a tenth: they may be applied anew at any time.
LOOK_AGAIN_SECONDS = 300.0
PAGE_LIMIT = 200
_AT_ONCE = 8
_LONGEST_RETRY_SECONDS = 120.0
# What a new leader does again at most, in time.
_REMEMBER_SECONDS = 2.0
#: What may become of an object: written, or no need to (somebody else wrote or deleted it), or not taken.
OUTCOMES = ("written", "superseded", "refused")
_NAMED_REFUSALS = 3


class Unfinished(RuntimeError):
    """Not every object could be written, or the definition changed meanwhile; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Migration:
    """What is to be done for one definition: `resource` is its kind in the storage version.

    `uid` and `generation` are the definition's; when either is another, what was done may not count any more.
    """

    definition: str
    uid: str
    generation: int
    resource: Resource
    stored: tuple[str, ...]


class Position(msgspec.Struct, frozen=True):
    """How far a migration got: the token of the next page ("": from the start), and how many objects were refused."""

    uid: str
    generation: int
    token: str = ""
    refused: int = 0


@dataclass(frozen=True, slots=True)
class MigrationStatistics:
    """Objects since the start: `written` again; `superseded` or deleted by others meanwhile, which is as good;
    `refused`. Definitions `finished`, migrations `resumed` at a position of an earlier process, and `restarted`
    because the token of the position had expired.
    """

    written: int
    superseded: int
    refused: int
    finished: int
    resumed: int
    restarted: int


class StorageMigration:
    """A runnable for the leader: looks after `definitions`, by name, until cancelled.

    Needs get on them, patch on their status, list and update on their kinds, and create, get and patch on the
    ConfigMap `namespace`/`name`. `per_second` bounds the writes: an API server converts every one of them for its
    caches of the other versions, one by one, and lists of these wait while it is behind. `settle_seconds`: the time in
    which every API server has heard of a changed definition; one that has not would store the old version again.
    `meter` None: nothing is counted.
    """

    def __init__(
        self,
        client: Client,
        definitions: Sequence[str],
        *,
        namespace: str,
        name: str,
        per_second: float = 100.0,
        settle_seconds: float = 10.0,
        clock: Clock | None = None,
        rng: Random | None = None,
        meter: Meter | None = None,
    ) -> None:
        if per_second <= 0:
            raise ValueError(f"per_second {per_second}: give a positive number of objects a second")
        self._client = client
        self._definitions = tuple(definitions)
        self._namespace, self._name = namespace, name
        self._per_second = per_second
        self._settle_seconds = settle_seconds
        self._clock = clock or RealClock()
        self._rng = rng or Random()  # noqa: S311 - spreads load, guards nothing
        self._backoff = Backoff(self._rng, cap=_LONGEST_RETRY_SECONDS)
        self._tally: Counter[str] = Counter()
        self._due = 0.0
        self._log = structlog.get_logger(__name__)
        meter = meter or NoOpMeter("runtime")
        self._objects = counter_on(meter, MIGRATED_OBJECTS)
        self._pending = gauge_on(meter, MIGRATION_PENDING)
        for definition in self._definitions:
            for outcome in OUTCOMES:
                self._objects.add(0, {"definition": definition, "result": outcome})

    def __str__(self) -> str:
        return f"storage migration of {', '.join(self._definitions)}"

    def statistics(self) -> MigrationStatistics:
        """The figures of this moment."""
        count = self._tally
        return MigrationStatistics(
            count["written"],
            count["superseded"],
            count["refused"],
            count["finished"],
            count["resumed"],
            count["restarted"],
        )

    async def run(self) -> None:
        """Migrate what needs it, and look again, until cancelled."""
        while True:
            done = [await self._look(definition) for definition in self._definitions]
            pause = LOOK_AGAIN_SECONDS * self._rng.uniform(0.9, 1.1)
            await self._clock.sleep(pause if all(done) else self._backoff.failed(self._clock.monotonic()))

    async def _look(self, definition: str) -> bool:
        """Whether the definition needs nothing any more."""
        try:
            migration = needed(await self._client.get(CUSTOM_RESOURCE_DEFINITIONS, definition))
            self._pending.set(int(migration is not None), {"definition": definition})
            if migration is not None:
                await self._migrate(migration)
                self._pending.set(0, {"definition": definition})
        except (ApiError, Unfinished) as error:
            # A conversion webhook that does not work yet is one of these.
            self._log.warning("storage migration waits", definition=definition, problem=str(error))
            return False
        return True

    async def _migrate(self, migration: Migration) -> None:
        log = self._log.bind(definition=migration.definition, stored=migration.stored, to=migration.resource.version)
        position = await self._position(migration)
        if position is None:
            position = Position(migration.uid, migration.generation)
            log.info("storage migration begins")
            await self._clock.sleep(self._settle_seconds)
            await self._remember(migration, position)
        else:
            self._tally["resumed"] += 1
            log.info("storage migration goes on", **self._figures())
        refused = await self._all_pages(migration, position)
        if refused:
            await self._forget(migration)
            raise Unfinished(f"{migration.definition}: {refused} objects were refused; make them valid, or delete them")
        await self._trim(migration)
        await self._forget(migration)
        self._tally["finished"] += 1
        log.info("storage migration is done", **self._figures())

    async def _all_pages(self, migration: Migration, position: Position) -> int:
        """Write what comes from `position` on; how many objects were refused."""
        remembered = self._clock.monotonic()
        while True:
            try:
                page = await self._client.list_page(
                    migration.resource, Selection(), limit=PAGE_LIMIT, continue_token=position.token or None
                )
            except Gone:
                if not position.token:
                    raise
                self._tally["restarted"] += 1
                position = _at(position, token="", refused=0)
                continue
            refused = position.refused + await self._rewrite(migration, page.items)
            if page.continue_token is None:
                return refused
            position = _at(position, token=page.continue_token, refused=refused)
            if self._clock.monotonic() - remembered >= _REMEMBER_SECONDS:
                await self._remember(migration, position)
                remembered = self._clock.monotonic()
                self._log.info("storage migration", definition=migration.definition, **self._figures())

    async def _rewrite(self, migration: Migration, objects: Sequence[Manifest]) -> int:
        """PUT each of `objects` as it is; how many were refused. Raises what keeps all from being written."""
        refused = 0
        for start in range(0, len(objects), _AT_ONCE):
            chunk = objects[start : start + _AT_ONCE]
            await self._pace(len(chunk))
            outcomes: list[str | ApiError] = []

            async def write(obj: Manifest, outcomes: list[str | ApiError] = outcomes) -> None:
                outcomes.append(await self._write(migration, obj))

            async with asyncio.TaskGroup() as tasks:
                for obj in chunk:
                    tasks.create_task(write(obj), name=f"storage migration of {key_of(obj)}")
            for outcome in outcomes:
                if isinstance(outcome, ApiError):
                    raise outcome
                self._tally[outcome] += 1
                self._objects.add(1, {"definition": migration.definition, "result": outcome})
                refused += outcome == "refused"
        return refused

    async def _write(self, migration: Migration, obj: Manifest) -> str | ApiError:
        try:
            await self._client.replace(migration.resource, obj)
        except (Conflict, NotFound):
            return "superseded"  # by a write in the present version, or a deletion
        except (Invalid, Forbidden, BadRequest) as error:
            if self._tally["refused"] < _NAMED_REFUSALS:
                self._log.error("storage migration: object refused", object=key_of(obj), problem=str(error))
            return "refused"
        except ApiError as error:
            return error
        return "written"

    async def _pace(self, count: int) -> None:
        """Wait until `count` more writes are within the bound."""
        now = self._clock.monotonic()
        self._due = max(self._due, now)
        wait, self._due = self._due - now, self._due + count / self._per_second
        await self._clock.sleep(wait)

    async def _trim(self, migration: Migration) -> None:
        present = await self._client.get(CUSTOM_RESOURCE_DEFINITIONS, migration.definition)
        if needed(present) != migration:
            raise Unfinished(f"{migration.definition}: changed while its objects were written; they are written again")
        operations: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version_of(present)},
            {"op": "replace", "path": "/status/storedVersions", "value": [migration.resource.version]},
        ]
        await self._client.json_patch(
            CUSTOM_RESOURCE_DEFINITIONS, migration.definition, operations, subresource="status"
        )

    async def _position(self, migration: Migration) -> Position | None:
        """Where an earlier process got to, None when there is none or it was about another state."""
        try:
            found = await self._client.get(CONFIG_MAPS, self._name, self._namespace)
            position = msgspec.json.decode((found.get("data") or {})[migration.definition], type=Position)
        except (NotFound, KeyError, msgspec.DecodeError):
            return None
        return position if (position.uid, position.generation) == (migration.uid, migration.generation) else None

    async def _remember(self, migration: Migration, position: Position) -> None:
        data = {migration.definition: msgspec.json.encode(position).decode()}
        try:
            await self._client.merge_patch(CONFIG_MAPS, self._name, {"data": data}, self._namespace)
        except NotFound:
            metadata = {"name": self._name, "namespace": self._namespace}
            await self._client.create(CONFIG_MAPS, {"metadata": metadata, "data": data})

    async def _forget(self, migration: Migration) -> None:
        await self._client.merge_patch(CONFIG_MAPS, self._name, {"data": {migration.definition: None}}, self._namespace)

    def _figures(self) -> dict[str, int]:
        return {name: self._tally[name] for name in OUTCOMES}


def _at(position: Position, *, token: str, refused: int) -> Position:
    """`position` at another page."""
    return msgspec.structs.replace(position, token=token, refused=refused)


def needed(definition: Manifest) -> Migration | None:
    """The migration that a CustomResourceDefinition needs, None when all its objects are in the storage version."""
    spec = definition["spec"]
    storage = next(version["name"] for version in spec["versions"] if version["storage"])
    stored = tuple((definition.get("status") or {}).get("storedVersions") or ())
    if stored in ((), (storage,)):
        return None
    names = spec["names"]
    resource = Resource(
        spec["group"], storage, names["plural"], names["kind"], namespaced=spec["scope"] == "Namespaced"
    )
    name = definition["metadata"]["name"]
    return Migration(name, uid_of(definition), generation_of(definition), resource, stored)
