import pytest

from api.v1beta1.gpu_node import AssignedDevice
from controller.agent.backend import BackendError, DriverGone, GpuProcess, NodeHardware, NotSupported
from controller.agent.observation import KEPT_SECONDS, Observation
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
