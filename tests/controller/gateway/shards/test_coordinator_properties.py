"""Whatever befalls replicas: no shard is dispatched by two, and in the end each by one."""

import asyncio

import pytest

from tests.controller.gateway.shards.replicas import TIMING, World, in_world

MOST = 5
STEPS = 40


async def befall(world: World, away: set[str]) -> None:
    """One thing that happens to one of them."""
    rng = world.rng
    what = rng.choice(["join", "join", "kill", "leave", "cut", "heal", "heal"])
    there = [process for process in world.processes if process.name not in away]
    if what == "join" or not world.processes:
        if len(world.processes) < MOST:
            world.join()
        return
    process = rng.choice(world.processes)
    if what == "kill":
        world.kill(process)
    elif what == "leave" and there:
        await world.leave(rng.choice(there))
    elif what == "cut":
        process.cut()
        away.add(process.name)
    elif what == "heal":
        process.heal()
        away.discard(process.name)


@pytest.mark.parametrize("seed", range(8))
def test_never_two_and_in_the_end_one(seed: int) -> None:
    async def body(world: World) -> None:
        away: set[str] = set()
        for _ in range(STEPS):
            await befall(world, away)
            await asyncio.sleep(world.rng.choice([0.05, 1.0, 4.0, 12.0]) * world.rng.random())
        for process in world.processes:
            process.heal()
        if not world.processes:
            world.join()
        await world.settled(3 * TIMING.lease.duration + 10)

    assert in_world(body, seed).overlaps == []


@pytest.mark.parametrize("seed", range(3))
def test_as_long_as_all_works_no_shard_pauses_for_two_seconds(seed: int) -> None:
    async def body(world: World) -> None:
        world.join()
        await world.settled(1.0)
        for _ in range(STEPS // 2):
            if len(world.processes) == 1 or (len(world.processes) < MOST and world.rng.random() < 0.5):
                world.join()
            else:
                await world.leave(world.rng.choice(world.processes))
            await asyncio.sleep(world.rng.choice([0.05, 1.0, 12.0]))
        await world.settled(30)

    world = in_world(body, seed)
    assert world.overlaps == []
    assert len(world.pauses) > STEPS
    assert max(seconds for _, seconds in world.pauses) <= 2.0


def test_an_owner_that_trusts_its_lease_for_longer_than_it_may_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def body(world: World) -> None:
        first, _ = world.join(), world.join()
        await world.settled(20.0)
        for keeper in first.coordinator.keepers:
            monkeypatch.setattr(type(keeper), "open", property(lambda self: self.stand == "Holding"))
            keeper.fence.extend(1e9)
        first.task.cancel()  # type: ignore[union-attr]
        await asyncio.sleep(3 * TIMING.lease.duration)

    assert in_world(body).overlaps
