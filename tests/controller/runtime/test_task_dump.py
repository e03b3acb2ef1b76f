"""Stacks of suspended tasks, through every sort of thing that can be awaited."""

import asyncio
from collections.abc import AsyncIterator, Generator

from controller.runtime.task_dump import dump_tasks


class Awaitable:
    def __await__(self) -> Generator[object, None, None]:
        yield from asyncio.sleep(60).__await__()


async def numbers() -> AsyncIterator[int]:
    await Awaitable()
    yield 1


async def outer() -> None:
    async for _ in numbers():
        pass


async def test_a_stack_goes_down_to_what_is_waited_for() -> None:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(outer(), name="the one")
        await asyncio.sleep(0)
        text = dump_tasks()
        task.cancel()
        assert "the one (asked to end 1x)" in dump_tasks()
    block = next(block for block in text.split("\n\n") if block.startswith("the one\n"))
    names = [line.split()[0] for line in block.splitlines()[1:]]
    assert names == ["outer", "numbers", "Awaitable.__await__", "sleep", "waits"]
    assert block.splitlines()[-1].strip().startswith("waits for <Future pending")


async def test_one_that_has_not_begun_and_the_one_that_asks_are_told_too() -> None:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(outer(), name="new")
        text = dump_tasks()
        task.cancel()
    assert text.startswith("2 tasks\n")
    assert "\nnew\n    outer (" in text
    assert "dump_tasks" not in text.partition("(")[0]
