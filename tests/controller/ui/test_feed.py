"""Who is told what: all at first, then differences, and all again for who was too slow."""

import asyncio
from contextlib import ExitStack
from typing import Any

import orjson
import pytest

from controller.ui.differences import applied
from controller.ui.feed import LOOK_SECONDS, MOST_CLIENTS, MOST_QUEUED, PAUSE_SECONDS, Feed, TooManyClients
from controller.ui.viewer import EVERYTHING, Viewer
from tests.fakes.clock import LoopClock


class Told:
    """What the feed reads: one number, and how often it was read."""

    def __init__(self) -> None:
        self.value = 0
        self.reads = 0

    def read(self) -> Any:
        self.reads += 1
        return {"nodes": {"a": self.value, "b": 7}, "claims": {}, "services": {}, "plans": {}}


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def feed(told: Told) -> Feed:
    return Feed(told.read, LoopClock())


async def test_the_first_message_is_everything_and_the_next_only_what_changed(feed: Feed, told: Told) -> None:
    with feed.subscribed(EVERYTHING) as client:
        first = await client.next()
        told.value = 1
        feed.tell()
        second = await client.next()
    whole, change = orjson.loads(first.data), orjson.loads(second.data)
    assert (first.event, whole["format"], whole["state"]["nodes"]) == ("state", 1, {"a": 0, "b": 7})
    assert (second.event, change["since"], change["change"]) == ("change", whole["version"], {"nodes": {"a": 1}})


async def test_nothing_new_is_nothing_told(feed: Feed) -> None:
    with feed.subscribed(EVERYTHING) as client:
        await client.next()
        feed.tell()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await client.next()


async def test_who_does_not_keep_up_gets_the_state_of_now(feed: Feed, told: Told) -> None:
    with feed.subscribed(EVERYTHING) as slow, feed.subscribed(EVERYTHING) as quick:
        state = orjson.loads((await quick.next()).data)["state"]
        await slow.next()
        for value in range(1, MOST_QUEUED + 5):
            told.value = value
            feed.tell()
            state = applied(state, orjson.loads((await quick.next()).data)["change"])
        late = await slow.next()
        assert (late.event, orjson.loads(late.data)["state"]) == ("state", state)
        told.value = 99
        feed.tell()
        after = await slow.next()
        assert (after.event, orjson.loads(after.data)["since"]) == ("change", late.version)
        assert (feed.statistics().overruns, feed.statistics().dropped) == (1, MOST_QUEUED + 1)


async def test_a_queue_that_was_thrown_away_is_counted_when_the_client_is_gone(feed: Feed, told: Told) -> None:
    with feed.subscribed(EVERYTHING) as slow:
        await slow.next()
        for value in range(1, MOST_QUEUED + 2):
            told.value = value
            feed.tell()
    assert (feed.statistics().clients, feed.statistics().overruns) == (0, 1)


async def test_viewers_are_told_their_own_part(told: Told) -> None:
    claim = {"namespace": "team-b", "waiting": None}

    def read() -> Any:
        return {"nodes": {}, "claims": {"team-b/x": claim} if told.value else {}, "services": {}, "plans": {}}

    feed = Feed(read, LoopClock())
    with feed.subscribed(Viewer(frozenset({"team-a"}))) as theirs, feed.subscribed(EVERYTHING) as all_:
        await theirs.next()
        await all_.next()
        told.value = 1
        feed.tell()
        seen, everything = orjson.loads((await theirs.next()).data), orjson.loads((await all_.next()).data)
    assert seen["change"] == {"others": {"claims": 1}}
    assert everything["change"] == {"claims": {"team-b/x": claim}}


async def test_while_nobody_looks_nothing_is_read(feed: Feed, told: Told) -> None:
    feed.tell()
    assert told.reads == 0


async def test_no_more_pages_than_are_served(feed: Feed) -> None:
    with ExitStack() as open_:
        for _ in range(MOST_CLIENTS):
            open_.enter_context(feed.subscribed(EVERYTHING))
        with pytest.raises(TooManyClients, match="close one"):
            open_.enter_context(feed.subscribed(EVERYTHING))
    with feed.subscribed(EVERYTHING):
        assert feed.statistics().clients == 1


@pytest.mark.looptime
async def test_events_that_come_together_are_told_together_and_time_alone_is_looked_at(feed: Feed, told: Told) -> None:
    async with asyncio.TaskGroup() as group:
        running = group.create_task(feed.run())
        with feed.subscribed(EVERYTHING) as client:
            await client.next()
            for value in (1, 2, 3):
                told.value = value
                feed.changed()
            began = asyncio.get_running_loop().time()
            message = await client.next()
            assert orjson.loads(message.data)["change"] == {"nodes": {"a": 3}}
            assert asyncio.get_running_loop().time() - began == pytest.approx(PAUSE_SECONDS, abs=0.01)
            told.value = 4  # no event tells of it
            await client.next()
            assert asyncio.get_running_loop().time() - began < LOOK_SECONDS + 3 * PAUSE_SECONDS
        running.cancel()
