import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import pytest

from controller.gateway.control.objects import ObjectiveCounts, Service, ShardCounts
from controller.gateway.control.request_counts import EACH_SECONDS, CountsWriter, added, entry_object
from controller.qos.service_counts import ServiceCounts
from controller.qos.slo_counts import RequestCounts, Tally
from controller.runtime.cache.store import Store
from controller.runtime.client.client import Client
from controller.runtime.client.errors import ApiError, Unavailable
from controller.runtime.client.resource import Resource
from controller.runtime.objects.conversion import typed
from tests.builders.watched import metadata
from tests.fakes.clock import START, LoopClock

FIRST = ("timeToFirstToken", "500ms")


def requests(entry: ShardCounts | dict[str, Any], seconds: float = 300, later: float = 0.0) -> Tally:
    """What an entry has of the first objective, in the time before now."""
    if isinstance(entry, dict):
        entry = typed(entry, ShardCounts)
    now = START.timestamp() + later
    return RequestCounts.merged([RequestCounts.parse(one.counts) for one in entry.objectives]).within(seconds, now)


def test_what_came_is_added_to_what_was_there() -> None:
    one, problems = added(None, {FIRST: Tally(3, 1)}, 2, {FIRST}, START)
    assert (one.shard, one.time, problems) == (2, "2026-01-01T00:00:00Z", [])
    later = START + timedelta(minutes=1)
    two, _ = added(one, {FIRST: Tally(5)}, 2, {FIRST}, later)
    assert requests(two, later=60) == Tally(8, 1)


def test_objectives_that_are_gone_go() -> None:
    one, _ = added(None, {FIRST: Tally(3)}, 0, {FIRST}, START)
    two, _ = added(one, {("queueWait", "1000ms"): Tally(1)}, 0, {("queueWait", "1000ms")}, START)
    assert [found.metric for found in two.objectives] == ["queueWait"]


def test_counts_that_cannot_be_read_are_told_and_begin_anew() -> None:
    broken = ShardCounts(shard=0, objectives=(ObjectiveCounts(metric=FIRST[0], threshold=FIRST[1], counts="junk"),))
    entry, problems = added(broken, {FIRST: Tally(2)}, 0, {FIRST}, START)
    assert requests(entry) == Tally(2)
    assert len(problems) == 1


@dataclass
class Api:
    """Applies to the one service of the store, by shard, as the API server does."""

    store: Store[Service]
    applied: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failure: ApiError | None = None
    only_the_answer_is_lost: bool = False

    async def apply(
        self, resource: Resource, obj: dict[str, Any], *, field_manager: str, subresource: str
    ) -> dict[str, Any]:
        assert (resource.plural, subresource) == ("inferenceservices", "status")
        if self.failure is not None and not self.only_the_answer_is_lost:
            raise self.failure
        self.applied.append((field_manager, obj))
        if self.failure is not None:
            raise self.failure
        return obj

    def show(self) -> None:
        """Let the informer see the last write of each shard."""
        entries = {
            obj["status"]["requestCounts"][0]["shard"]: obj["status"]["requestCounts"][0] for _, obj in self.applied
        }
        self.store.replace([service(*entries.values())])


def service(*entries: dict[str, Any]) -> Service:
    wire = {"metadata": metadata("chat") | {"resourceVersion": str(len(entries) + 2)}, "spec": {}}
    return typed(wire | {"status": {"requestCounts": list(entries)}}, Service)


class World:
    """A writer of one service, whose shard and counts a test moves."""

    def __init__(self) -> None:
        self.shard: int | None = 0
        self.store: Store[Service] = Store()
        self.store.replace([service()])
        self.api = Api(self.store)
        self.counts = {"team-a/chat": ServiceCounts([("timeToFirstToken", 0.5)])}
        self.clock = LoopClock()
        self.writer = self.a_writer()

    def a_writer(self) -> CountsWriter:
        return CountsWriter(cast("Client", self.api), self.store, lambda: self.counts, lambda: self.shard, self.clock)

    def serve(self, times: int = 1, *, slow: bool = False) -> None:
        for _ in range(times):
            self.counts["team-a/chat"].answered(1.0, 0.9 if slow else 0.1, None, 0.0)

    def latest(self) -> Tally:
        return requests(self.api.applied[-1][1]["status"]["requestCounts"][0], later=self.clock.monotonic())


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.looptime
async def test_counts_are_written_by_the_shards_own_manager(world: World) -> None:
    world.serve(3)
    world.serve(1, slow=True)
    await world.writer.flush()
    ((manager, body),) = world.api.applied
    assert manager == "aim-gpu-gateway-0"
    assert body["metadata"] == {"name": "chat", "namespace": "team-a", "uid": "uid-team-a-chat"}
    assert world.latest() == Tally(4, 1)


@pytest.mark.looptime
async def test_nothing_counted_is_nothing_written(world: World) -> None:
    await world.writer.flush()
    assert world.api.applied == []


@pytest.mark.looptime
async def test_a_cache_that_is_behind_loses_nothing(world: World) -> None:
    for _ in range(3):
        world.serve(2)
        await world.writer.flush()  # the store never shows the write before
    assert world.latest() == Tally(6)


@pytest.mark.looptime
async def test_another_process_goes_on_where_the_last_one_stopped(world: World) -> None:
    world.serve(2)
    await world.writer.flush()
    world.api.show()
    other = world.a_writer()
    world.serve(1)
    await other.flush()
    assert world.latest() == Tally(3)


@pytest.mark.looptime
async def test_a_write_that_fails_is_made_up_for(world: World) -> None:
    world.api.failure = Unavailable(0, "Down", "nobody answers")
    world.serve(2)
    await world.writer.flush()
    assert world.api.applied == []
    world.api.failure = None
    world.serve(1)
    await world.writer.flush()
    assert world.latest() == Tally(3)


@pytest.mark.looptime
@pytest.mark.parametrize("shown", [True, False])
async def test_a_write_whose_answer_is_lost_counts_once(world: World, shown: bool) -> None:
    world.serve(1)
    await world.writer.flush()
    world.api.show()
    world.api.failure, world.api.only_the_answer_is_lost = Unavailable(0, "Cut", "the connection broke"), shown
    world.serve(2)
    world.serve(1, slow=True)
    await world.writer.flush()
    world.api.failure = None
    world.api.show()
    world.serve(4)
    await world.writer.flush()
    assert world.latest() == Tally(8, 1)


@pytest.mark.looptime
async def test_without_a_shard_counts_wait(world: World) -> None:
    world.shard = None
    world.serve(2)
    await world.writer.flush()
    assert world.api.applied == []
    world.shard = 5
    await world.writer.flush()
    assert world.api.applied[0][0] == "aim-gpu-gateway-5"
    assert world.latest() == Tally(2)


@pytest.mark.looptime
async def test_nothing_is_counted_twice_when_the_shard_moves(world: World) -> None:
    world.serve(2)
    await world.writer.flush()
    world.shard = 3
    world.serve(1)
    await world.writer.flush()
    world.api.show()
    (stored,) = world.store.values()
    assert [requests(entry, later=world.clock.monotonic()) for entry in stored.status.request_counts] == [
        Tally(2),
        Tally(1),
    ]


@pytest.mark.looptime
async def test_a_service_that_is_gone_is_forgotten(world: World) -> None:
    world.serve(2)
    world.store.replace([])
    await world.writer.flush()
    world.store.replace([service()])
    await world.writer.flush()
    assert world.api.applied == []


@pytest.mark.looptime
async def test_it_writes_each_minute(world: World) -> None:
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(world.writer.run())
        for minute in range(1, 4):
            world.serve(1)
            await asyncio.sleep(EACH_SECONDS)
            assert len(world.api.applied) == minute
        running.cancel()


@pytest.mark.looptime
async def test_its_last_act_is_to_write(world: World) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(world.writer.run())
        await asyncio.sleep(1)
        world.serve(2)
        world.writer.stop()
    assert world.latest() == Tally(2)


def test_the_api_servers_form() -> None:
    entry, _ = added(None, {FIRST: Tally(1)}, 7, {FIRST}, START)
    assert entry_object(entry)["objectives"][0].keys() == {"metric", "threshold", "counts"}
