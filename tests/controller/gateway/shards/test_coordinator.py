import asyncio

from controller.gateway.shards.lease_view import shard_lease_name
from controller.gateway.shards.partitions import SHARDS
from controller.gateway.shards.shard_lease import IN_FLIGHT, decode
from controller.runtime.client.core import LEASES
from tests.controller.gateway.shards.replicas import TIMING, World, in_world

LOST = TIMING.lease.duration + TIMING.lease.retry_period + 1


def annotation(world: World, shard: int) -> object:
    lease = world.store.get(LEASES, shard_lease_name("gateway", shard), "gateways")
    return decode(lease["metadata"]["annotations"][IN_FLIGHT])


def test_the_first_has_everything_at_once() -> None:
    async def body(world: World) -> None:
        world.join()
        await world.settled(1.0)

    assert in_world(body).overlaps == []


def test_one_that_joins_gets_its_part_and_each_shard_pauses_for_a_moment_only() -> None:
    async def body(world: World) -> None:
        world.join()
        await world.settled(1.0)
        world.pauses.clear()
        world.join()
        await world.settled(20.0)
        assert [len(process.open()) for process in world.processes] == [SHARDS // 2, SHARDS // 2]
        await asyncio.sleep(60)

    world = in_world(body)
    assert world.overlaps == []
    assert len(world.pauses) == SHARDS // 2  # and nothing moved again in the minute after
    assert max(seconds for _, seconds in world.pauses) <= 2.0


def test_one_that_leaves_hands_everything_over_and_takes_its_own_lease_along() -> None:
    async def body(world: World) -> None:
        first, second = world.join(), world.join()
        await world.settled(20.0)
        world.pauses.clear()
        await world.leave(first)
        await world.settled(3.0)
        assert second.coordinator.others() == []
        assert len(world.store.list(LEASES)) == SHARDS + 1

    world = in_world(body)
    assert world.overlaps == []
    assert max(seconds for _, seconds in world.pauses) <= 2.0


def test_one_that_is_killed_is_followed_after_its_lease_has_run_out() -> None:
    async def body(world: World) -> None:
        first, _ = world.join(), world.join()
        await world.settled(20.0)
        world.pauses.clear()
        world.kill(first)
        await world.settled(LOST)

    world = in_world(body)
    assert world.overlaps == []
    assert TIMING.lease.duration - TIMING.lease.retry_period <= max(seconds for _, seconds in world.pauses) <= LOST


def test_one_that_is_cut_off_dispatches_no_more_before_others_begin_and_comes_back() -> None:
    async def body(world: World) -> None:
        first, second = world.join(), world.join()
        await world.settled(20.0)
        first.cut()
        await asyncio.sleep(LOST)
        assert len(second.open()) == SHARDS
        assert first.open() == set()
        first.heal()
        await world.settled(LOST + TIMING.lease.duration)

    assert in_world(body).overlaps == []


def test_an_api_server_that_is_away_pauses_all_and_takes_nothing_from_anybody() -> None:
    async def body(world: World) -> None:
        both = [world.join(), world.join()]
        await world.settled(20.0)
        before = world.where()
        for process in both:
            process.cut()
        await asyncio.sleep(30)
        assert world.where() == {}
        for process in both:
            process.heal()
        # Those that had a shard need not wait for their own lease to run out.
        await world.settled(TIMING.lease.request_timeout + 3)
        assert world.where() == before

    assert in_world(body).overlaps == []


def test_a_short_absence_of_the_api_server_is_not_noticed() -> None:
    async def body(world: World) -> None:
        process = world.join()
        await world.settled(1.0)
        world.pauses.clear()
        process.cut()
        await asyncio.sleep(TIMING.lease.renew_deadline - TIMING.lease.retry_period - 1)
        process.heal()
        await asyncio.sleep(30)

    assert in_world(body).pauses == []


def test_who_gives_a_shard_back_says_what_runs_there() -> None:
    async def body(world: World) -> None:
        first = world.join()
        await world.settled(1.0)
        first.in_flight = {shard: {"p1": {"pod": shard + 1}} for shard in range(SHARDS)}
        second = world.join()
        await world.settled(20.0)
        for shard in second.open():
            residents = second.coordinator.keepers[shard].residents
            assert residents is not None
            assert residents.taken("pod", 100, asyncio.get_running_loop().time()) == shard + 1
            assert residents.taken("another", 100, asyncio.get_running_loop().time()) == 0
            assert annotation(world, shard) == {"p1": {"pod": shard + 1}}

    in_world(body)


def test_of_one_that_was_lost_nothing_is_known_also_not_by_who_comes_after_the_next() -> None:
    async def body(world: World) -> None:
        first, second = world.join(), world.join()
        await world.settled(20.0)
        lost = next(iter(first.open()))
        world.kill(first)
        await world.settled(LOST)
        residents = second.coordinator.keepers[lost].residents
        assert residents is not None
        assert residents.taken("pod", 8, asyncio.get_running_loop().time()) == 8
        assert annotation(world, lost) == {"p1": None}
        world.kill(second)
        third = world.join()
        await world.settled(LOST + TIMING.lease.duration)
        assert third.open() == set(range(SHARDS))
        assert annotation(world, lost) == {"p1": None, "p2": None}

    in_world(body)


def test_a_claim_whose_answer_was_lost_is_no_term_of_our_own() -> None:
    async def body(world: World) -> None:
        first, second = world.join(), world.join()
        await world.settled(20.0)
        before = {shard: second.coordinator.keepers[shard].residents for shard in range(SHARDS)}
        world.kill(first)
        # The takeovers are written, and the process hears nothing of it.
        world.store.on_write.append(
            lambda write: second.cut() if write.who == "p2" and "-shard-" in str(write) else None
        )
        await asyncio.sleep(LOST)
        world.store.on_write.clear()
        second.heal()
        await world.settled(LOST + TIMING.lease.duration)
        for shard in range(SHARDS):
            residents = second.coordinator.keepers[shard].residents
            assert residents is not None
            lost = residents.taken("pod", 8, asyncio.get_running_loop().time()) == 8
            assert lost == (residents is not before[shard])
        assert sum(second.coordinator.keepers[shard].residents is not before[shard] for shard in range(SHARDS)) == 8

    in_world(body)


def test_what_replicas_leave_that_are_killed_is_removed() -> None:
    async def body(world: World) -> None:
        first, _ = world.join(), world.join()
        await world.settled(20.0)
        world.kill(first)
        await asyncio.sleep(TIMING.forget * TIMING.lease.duration + 200)
        names = [lease["metadata"]["name"] for lease in world.store.list(LEASES)]
        assert len([name for name in names if "-replica-" in name]) == 1

    in_world(body)
