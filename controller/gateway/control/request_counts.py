"""Requests counted against objectives, kept in the services' statuses: a minute's at a time, so a restart loses that.

    ServiceCounts.take -> (pending) -> added to what the status has of this shard -> server-side apply

The status is the history: what is written is what it had and what came since. So a replica that takes a shard over goes
on where the last one stopped, and nothing is counted twice. Each shard's entry is applied by a field manager of its
own, beside those of other shards and beside the operator, who writes the rest of the status.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import structlog

from controller.gateway.control.objects import ObjectiveCounts, Service, ShardCounts
from controller.qos.service_counts import ServiceCounts, threshold_text
from controller.qos.slo_counts import CountsError, RequestCounts, Tally
from controller.runtime.cache.store import Store
from controller.runtime.client.client import Client
from controller.runtime.client.errors import ApiError
from controller.runtime.clock import Clock
from controller.state.kinds import INFERENCE_SERVICES

EACH_SECONDS: Final = 60.0
"""Between two writes of a service that has requests."""

LAST_SECONDS: Final = 5.0
"""How long the end of the process waits for what was counted last."""

FIELD_MANAGER: Final = "aim-gpu-gateway-{shard}"

Key = tuple[str, str]
"""Metric and threshold, as the status has them."""
Pending = dict[Key, Tally]


class CountsWriter:
    """Writes the counts of all services that have objectives.

    `counts` has what was counted, by service; `store` the services as they are. `shard` is the one whose entries are
    this process's to write, None while it has none: then counts wait.
    """

    def __init__(
        self,
        client: Client,
        store: Store[Service],
        counts: Callable[[], Mapping[str, ServiceCounts]],
        shard: Callable[[], int | None],
        clock: Clock,
    ) -> None:
        self._client, self._store, self._counts, self._shard, self._clock = client, store, counts, shard, clock
        self._pending: dict[str, Pending] = {}
        self._written: dict[tuple[str, int], ShardCounts] = {}
        self._unsure: dict[tuple[str, int], tuple[ShardCounts, Pending]] = {}
        self._ending = asyncio.Event()
        self._log = structlog.get_logger(__name__)

    def __str__(self) -> str:
        return "writer of request counts"

    def stop(self) -> None:
        """Write what was counted last, and end."""
        self._ending.set()

    async def run(self) -> None:
        """Write each minute, spread over it, until `stop`. What is being written when it is cancelled may be lost."""
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(self._each_minute(), name=str(self))
            await self._ending.wait()
            writing.cancel()
        await self.flush()

    async def _each_minute(self) -> None:
        while True:
            await self._clock.sleep(EACH_SECONDS / 4)
            keys = self._take()
            for key in keys:
                await self._write(key)
                await self._clock.sleep(EACH_SECONDS * 3 / 4 / len(keys))
            if not keys:
                await self._clock.sleep(EACH_SECONDS * 3 / 4)

    async def flush(self) -> None:
        """Write all that was counted, for some seconds at most."""
        try:
            async with asyncio.timeout(LAST_SECONDS):
                for key in self._take():
                    await self._write(key)
        except TimeoutError:
            self._log.warning("the last counts were not written", services=len(self._pending))

    def _take(self) -> list[str]:
        """Take over what was counted; the services that have something to write."""
        for key, counts in self._counts().items():
            for metric, threshold, tally in counts.take():
                pending = self._pending.setdefault(key, {})
                name = metric, threshold_text(threshold)
                pending[name] = pending.get(name, Tally()) + tally
        return sorted(self._pending)

    async def _write(self, key: str) -> None:
        shard, service = self._shard(), self._store.get(key)
        if service is None:
            del self._pending[key]
            self._written = {place: entry for place, entry in self._written.items() if place[0] != key}
            self._unsure = {place: sent for place, sent in self._unsure.items() if place[0] != key}
        elif shard is not None:
            await self._apply(key, service, shard)

    async def _apply(self, key: str, service: Service, shard: int) -> None:
        pending = self._not_there_yet(key, service, shard)
        now = self._clock.now()
        wanted = {(metric, threshold_text(seconds)) for metric, seconds in self._objectives(key)}
        entry, problems = added(self._latest(key, service, shard), pending, shard, wanted, now)
        for problem in problems:
            self._log.warning("counts of a status not read, and begun anew", service=key, shard=shard, problem=problem)
        metadata = service.metadata
        body = {
            "metadata": {"name": metadata.name, "namespace": metadata.namespace, "uid": metadata.uid},
            "status": {"requestCounts": [entry_object(entry)]},
        }
        manager = FIELD_MANAGER.format(shard=shard)
        try:
            await self._client.apply(INFERENCE_SERVICES, body, field_manager=manager, subresource="status")
        except ApiError as error:
            self._log.warning("counts not written; they are with the next", service=key, error=str(error))
            self._pending[key] = pending
            self._unsure[key, shard] = entry, dict(pending)
        else:
            self._written[key, shard] = entry

    def _not_there_yet(self, key: str, service: Service, shard: int) -> Pending:
        """What is pending, without what a write took along that succeeded though its answer was lost."""
        pending = self._pending.pop(key)
        entry, sent = self._unsure.pop((key, shard), (None, {}))
        if entry is None or entry not in service.status.request_counts:
            return pending
        left = {name: _minus(tally, sent.get(name, Tally())) for name, tally in pending.items()}
        return {name: tally for name, tally in left.items() if tally.requests}

    def _objectives(self, key: str) -> Iterable[tuple[str, float]]:
        counts = self._counts().get(key)
        return counts.objectives if counts is not None else ()

    def _latest(self, key: str, service: Service, shard: int) -> ShardCounts | None:
        """What the status has of the shard: our own last write, where the informer does not show it yet."""
        stored = next((one for one in service.status.request_counts if one.shard == shard), None)
        written = self._written.get((key, shard))
        if stored is None or written is None:
            return stored or written
        return max(stored, written, key=lambda one: one.time)


def added(
    before: ShardCounts | None, pending: Pending, shard: int, wanted: set[Key], now: datetime
) -> tuple[ShardCounts, list[str]]:
    """The shard's entry with what is pending, of objectives that are wanted still; and what of it was unreadable."""
    histories: dict[Key, RequestCounts] = {}
    problems = []
    for one in before.objectives if before is not None else ():
        if (one.metric, one.threshold) in wanted:
            try:
                histories[one.metric, one.threshold] = RequestCounts.parse(one.counts)
            except CountsError as error:
                problems.append(f"{one.metric} {one.threshold}: {error}")
    seconds = now.timestamp()
    for name, tally in pending.items():
        if name in wanted:
            histories.setdefault(name, RequestCounts()).add(seconds, tally)
    entry = ShardCounts(
        shard=shard,
        time=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        objectives=tuple(
            ObjectiveCounts(metric=metric, threshold=threshold, counts=text)
            for (metric, threshold), history in sorted(histories.items())
            if (text := history.text(seconds))
        ),
    )
    return entry, problems


def _minus(tally: Tally, part: Tally) -> Tally:
    return Tally(tally.requests - part.requests, tally.slow - part.slow)


def entry_object(entry: ShardCounts) -> dict[str, Any]:
    """The entry as the API server takes it."""
    objectives = [{"metric": one.metric, "threshold": one.threshold, "counts": one.counts} for one in entry.objectives]
    return {"shard": entry.shard, "time": entry.time, "objectives": objectives}
