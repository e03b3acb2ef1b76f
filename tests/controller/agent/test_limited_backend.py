import asyncio
from collections.abc import Awaitable, Callable

import pytest

from controller.agent.backend import BackendError, Busy, DriverGone, ReloadTimeout
from controller.agent.limited_backend import ChangeTimeout, LimitedBackend
from controller.gpu.mode import ComputeMode, MemoryMode
from tests.controller.agent.hardware import A, RecordedBackend

Call = Callable[[LimitedBackend], Awaitable[object]]

CALLS = [
    pytest.param("read", lambda one: one.read(), DriverGone, 40, id="read"),
    pytest.param("processes", lambda one: one.processes(), DriverGone, 40, id="processes"),
    pytest.param("usage", lambda one: one.usage(), DriverGone, 40, id="usage"),
    pytest.param("set_memory_mode", lambda one: one.set_memory_mode(MemoryMode.NPS4), ChangeTimeout, 330, id="memory"),
    pytest.param(
        "set_compute_mode", lambda one: one.set_compute_mode(A, ComputeMode.CPX), ChangeTimeout, 150, id="set"
    ),
    pytest.param("reload_driver", lambda one: one.reload_driver(), ReloadTimeout, 330, id="reload"),
]


async def hang(*_: object) -> None:
    await asyncio.Event().wait()


@pytest.mark.looptime
@pytest.mark.parametrize(("name", "call", "want", "seconds"), CALLS)
async def test_a_call_that_hangs_ends_at_its_limit(
    monkeypatch: pytest.MonkeyPatch, name: str, call: Call, want: type[BackendError], seconds: int
) -> None:
    backend = RecordedBackend("SPX/NPS1")
    monkeypatch.setattr(backend, name, hang)
    with pytest.raises(want, match=f"{seconds} s"):
        await call(LimitedBackend(backend))
    assert asyncio.get_running_loop().time() == pytest.approx(seconds)


@pytest.mark.parametrize(("name", "call", "_want", "_seconds"), CALLS)
async def test_its_own_errors_pass(
    monkeypatch: pytest.MonkeyPatch, name: str, call: Call, _want: type[BackendError], _seconds: int
) -> None:
    async def refuse(*_: object) -> None:
        raise Busy("in use", frozenset({A}))

    backend = RecordedBackend("SPX/NPS1")
    monkeypatch.setattr(backend, name, refuse)
    with pytest.raises(Busy, match="in use"):
        await call(LimitedBackend(backend))


async def test_a_time_limit_of_the_backends_own_is_not_taken_for_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse() -> None:
        raise TimeoutError("of the library")

    backend = RecordedBackend("SPX/NPS1")
    monkeypatch.setattr(backend, "read", refuse)
    with pytest.raises(TimeoutError, match="of the library"):
        await LimitedBackend(backend).read()


async def test_it_is_the_backend_in_all_else() -> None:
    backend = RecordedBackend("SPX/NPS1")
    limited = LimitedBackend(backend)
    assert (limited.name, limited.simulated, limited.writable) == ("simulated", True, True)
    await limited.set_memory_mode(MemoryMode.NPS4)
    await limited.reload_driver()
    await limited.set_compute_mode(A, ComputeMode.CPX)
    assert str((await limited.read()).modes[A]) == "CPX/NPS4"
