import asyncio

import pytest
from structlog.testing import capture_logs

from api.v1beta1.gpu_node import AssignedDevice
from controller.agent.backend import BackendError, DriverGone, GpuProcess, NodeHardware, NotSupported
from controller.agent.figures import NO_USE
from controller.agent.observation import KEPT_SECONDS, MEASURE_SECONDS, Observation
from controller.gpu.identity import PartitionId
from tests.controller.agent.hardware import A, RecordedBackend
from tests.fakes.clock import SkippingClock


class Kubelet:
    """Tells what it is given; None: it does not answer."""

    def __init__(self, *told: tuple[AssignedDevice, ...] | None) -> None:
        self.told = list(told)

    async def assigned(self, hardware: NodeHardware) -> tuple[AssignedDevice, ...] | None:
        return self.told.pop(0)


async def test_hardware_that_cannot_be_read_leaves_the_last_reading_and_the_reason() -> None:
    backend = RecordedBackend("SPX/NPS1")
    seen = Observation(backend, None, "node-0", SkippingClock())
    await seen.read()
    backend.fail = {"read": DriverGone("no driver")}
    await seen.read()
    assert seen.hardware is not None
    assert str(seen.problem) == "no driver"
    backend.fail = {}
    await seen.read()
    assert seen.problem is None


@pytest.mark.parametrize("error", [NotSupported("this backend cannot tell"), DriverGone("a reload")])
async def test_processes_that_cannot_be_told_are_not_zero(error: BackendError) -> None:
    backend = RecordedBackend("SPX/NPS1")
    backend.foreign = {A: (GpuProcess(7), GpuProcess(8, "python3"))}
    seen = Observation(backend, None, "node-0", SkippingClock())
    await seen.sample()
    assert seen.processes == {A: 2}
    backend.fail = {"processes": error}
    await seen.sample()
    assert seen.processes is None


GIVEN = AssignedDevice(namespace="team", pod="p", container="c", resource="amd.com/gpu", device="0000:05:00.0")


def told(seen: Observation) -> tuple[object, object]:
    return seen.assigned, seen.last_assigned


async def test_what_the_kubelet_stops_telling_is_kept_a_while_and_counts_until_its_next_answer() -> None:
    clock = SkippingClock()
    seen = Observation(RecordedBackend("SPX/NPS1"), Kubelet((GIVEN,), None, None, ()), "node-0", clock)
    await seen.read()
    await seen.sample()
    clock.tick(KEPT_SECONDS - 1)
    await seen.sample()
    assert told(seen) == ((GIVEN,), (GIVEN,))
    clock.tick(1)
    await seen.sample()
    assert told(seen) == (None, (GIVEN,))
    await seen.sample()
    assert told(seen) == ((), ())


async def test_a_kubelet_that_never_answered_tells_nothing() -> None:
    seen = Observation(RecordedBackend("SPX/NPS1"), Kubelet(None), "node-0", SkippingClock())
    await seen.read()
    await seen.sample()
    assert (seen.assigned, seen.last_assigned) == (None, ())


def hang_at(monkeypatch: pytest.MonkeyPatch, backend: RecordedBackend, call: str) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(backend, call, hang)


async def test_a_measurement_is_of_now() -> None:
    backend = RecordedBackend("SPX/NPS1")
    seen = Observation(backend, None, "node-0", SkippingClock())
    for used in (5, 0):
        backend.used = {PartitionId(A, 0): used}
        assert (await seen.measure()).partitions[PartitionId(A, 0)].used_bytes == used


async def test_a_report_measures_nothing_and_a_measurement_lists_no_processes() -> None:
    backend = RecordedBackend("SPX/NPS1")
    backend.fail = {"usage": DriverGone("was asked")}
    seen = Observation(backend, None, "node-0", SkippingClock())
    with capture_logs() as logs:
        await seen.sample()
        backend.fail = {"processes": DriverGone("was asked")}
        await seen.measure()
    assert (logs, seen.refused) == ([], False)


async def test_a_measurement_that_fails_repeats_nothing_of_the_one_before() -> None:
    backend = RecordedBackend("SPX/NPS1")
    seen = Observation(backend, None, "node-0", SkippingClock())
    await seen.measure()
    backend.fail = {"usage": DriverGone("a reload")}
    with capture_logs() as logs:
        assert [await seen.measure() for _ in range(2)] == [NO_USE] * 2
    assert seen.refused
    assert [(line["event"], line["reason"]) for line in logs] == [("use cannot be measured", "a reload")], "said once"
    backend.fail = {}
    assert await seen.measure() != NO_USE
    assert not seen.refused


async def test_a_reading_after_a_refused_measurement_is_the_last_word() -> None:
    backend = RecordedBackend("SPX/NPS1")
    backend.fail = {"usage": DriverGone("a reload")}
    seen = Observation(backend, None, "node-0", SkippingClock())
    await seen.measure()
    await seen.read()
    assert not seen.refused


@pytest.mark.looptime
async def test_a_driver_that_hangs_keeps_nobody_waiting_and_has_refused_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    backend = RecordedBackend("SPX/NPS1")
    monkeypatch.setattr(backend, "usage", hang)
    seen = Observation(backend, None, "node-0", SkippingClock())
    with capture_logs() as logs:
        assert await seen.measure() == NO_USE
    assert asyncio.get_running_loop().time() == pytest.approx(MEASURE_SECONDS)
    assert [line["reason"] for line in logs] == ["the driver does not answer within 1.5 s"]
    assert not seen.refused
