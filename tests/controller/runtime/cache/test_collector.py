"""The garbage collector is off while lists are taken in, and on again whatever happens."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import suppress

import pytest

from controller.runtime.cache import collector


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    yield
    assert gc.isenabled()
    gc.unfreeze()


def test_it_is_off_inside_and_on_after() -> None:
    with collector.paused():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_turns_it_on_again() -> None:
    with pytest.raises(RuntimeError), collector.paused():
        raise RuntimeError("half a list")
    assert gc.isenabled()


def test_the_last_of_overlapping_pauses_turns_it_on() -> None:
    first, second = collector.paused(), collector.paused()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()


def test_who_runs_without_it_keeps_running_without_it() -> None:
    gc.disable()
    try:
        with collector.paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.looptime
async def test_a_burst_ends_when_nothing_comes() -> None:
    with collector.paused_in_bursts() as burst:
        assert gc.isenabled(), "nothing has come yet"
        for _ in range(10):
            burst.goes_on()
            await asyncio.sleep(0.04)
            assert not gc.isenabled()
        await asyncio.sleep(0.02)
        assert gc.isenabled()
        burst.goes_on()
        assert not gc.isenabled()
    assert gc.isenabled()


@pytest.mark.looptime
async def test_bursts_of_several_lists_overlap() -> None:
    with collector.paused_in_bursts() as first:
        first.goes_on()
        with collector.paused_in_bursts() as second:
            second.goes_on()
            await asyncio.sleep(0.04)
            first.goes_on()
        assert not gc.isenabled()
        await asyncio.sleep(0.06)
        assert gc.isenabled()


async def test_an_error_ends_a_burst_and_its_timer() -> None:
    with suppress(RuntimeError), collector.paused_in_bursts() as burst:
        burst.goes_on()
        raise RuntimeError("half a list")
    assert gc.isenabled()
    await asyncio.sleep(2 * collector.BURST_GAP_SECONDS)
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("objects", "want"), [pytest.param(999, False, id="a small list"), pytest.param(1000, True, id="a big list")]
)
def test_a_big_list_is_not_walked_again(objects: int, want: bool) -> None:
    gc.unfreeze()
    collector.spare(objects)
    assert (gc.get_freeze_count() > 0) is want
