"""Every task of the event loop as text: its name, and where it stands."""

import asyncio
import gc
from collections.abc import Iterator
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any

_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_KINDS = (CoroutineType, GeneratorType, AsyncGeneratorType)
_AWAITED = ("cr_await", "gi_yieldfrom", "ag_await")


def dump_tasks() -> str:
    """The tasks of the running loop by name, each with its stack, outermost call first.

    A suspended task's own stack ends at its coroutine; what that awaits is followed down to whatever it waits for.
    """
    tasks = sorted(asyncio.all_tasks(), key=lambda task: task.get_name())
    return f"{len(tasks)} tasks\n" + "".join(f"\n{_describe(task)}\n" for task in tasks)


def _describe(task: asyncio.Task[Any]) -> str:
    asked = f" (asked to end {task.cancelling()}x)" if task.cancelling() else ""
    return "\n".join([f"{task.get_name()}{asked}", *_stack(task.get_coro())])


def _stack(awaitable: object) -> Iterator[str]:
    while awaitable is not None:
        frame = _first(awaitable, _FRAMES)
        if isinstance(frame, FrameType):
            code = frame.f_code
            yield f"    {code.co_qualname} ({code.co_filename}:{frame.f_lineno})"
        elif isinstance(awaitable, asyncio.Future):
            yield f"    waits for {awaitable!r}"
            return
        awaitable = _first(awaitable, _AWAITED) or _wrapped(awaitable)


def _first(awaitable: object, names: tuple[str, ...]) -> object:
    """The value of the one attribute of `names` that this sort of awaitable has."""
    return next((getattr(awaitable, name) for name in names if hasattr(awaitable, name)), None)


def _wrapped(awaitable: object) -> object:
    """What CPython's own wrappers (of futures, coroutines and async generators) hide: only the collector tells."""
    if isinstance(awaitable, _KINDS):
        return None
    return next((found for found in gc.get_referents(awaitable) if isinstance(found, (*_KINDS, asyncio.Future))), None)
