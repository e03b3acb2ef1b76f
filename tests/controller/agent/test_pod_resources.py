"""The kubelet's word over a real gRPC connection on a unix socket."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from api.v1beta1.gpu_node import AssignedDevice
from controller.agent.backend import NodeHardware
from controller.agent.platform_devices import numbered_minors
from controller.agent.pod_resources import PodResources
from tests.controller.agent.hardware import A, B, RecordedBackend
from tests.fakes.kubelet import FakeKubelet, claimed, plugged, pod

CPX = "amd.com/cpx_nps4"


@pytest.fixture
async def node() -> NodeHardware:
    return await RecordedBackend("CPX/NPS4").read()


@pytest.fixture
async def kubelet(tmp_path: Path) -> AsyncIterator[FakeKubelet]:
    async with FakeKubelet(tmp_path / "kubelet.sock") as server:
        yield server


def asking(kubelet: FakeKubelet, limit_seconds: float = 30.0) -> PodResources:
    return PodResources(kubelet.socket, numbered_minors, limit_seconds=limit_seconds)


def entry(pod: str, resource: str, device: str, bdf: str | None, partition: int | None) -> AssignedDevice:
    where = {"namespace": "team", "pod": pod, "container": "main", "resource": resource, "device": device}
    return AssignedDevice.model_validate({**where, "bdf": bdf, "partition": partition})


async def test_devices_of_both_ways_with_their_partitions_in_a_stable_order(
    kubelet: FakeKubelet, node: NodeHardware
) -> None:
    kubelet.pods = [
        pod("llm-1", plugged("main", CPX, "amdgpu_xcp_8", B)),
        pod("llm-0", claimed("main", ["gpu-3-131"])),
        pod("web", plugged("main", "example.com/nic", "eth1"), claimed("side", ["x"], driver="nic.example.com")),
    ]
    want = (
        entry("llm-0", "gpu.amd.com", "gpu-3-131", A, 3),
        entry("llm-1", CPX, B, B, 0),
        entry("llm-1", CPX, "amdgpu_xcp_8", B, 2),
    )
    assert await asking(kubelet).assigned(node) == want
    kubelet.pods.reverse()
    assert await asking(kubelet).assigned(node) == want


async def test_a_device_that_the_node_has_not_got_is_told_without_a_partition(
    kubelet: FakeKubelet, node: NodeHardware
) -> None:
    kubelet.pods = [pod("llm-0", plugged("main", "amd.com/gpu", "amdgpu_xcp_50"))]
    assert await asking(kubelet).assigned(node) == (entry("llm-0", "amd.com/gpu", "amdgpu_xcp_50", None, None),)


async def test_a_kubelet_without_pods_gave_nothing_away(kubelet: FakeKubelet, node: NodeHardware) -> None:
    assert await asking(kubelet).assigned(node) == ()


async def test_without_a_socket_nothing_is_known(tmp_path: Path, node: NodeHardware) -> None:
    assert await PodResources(tmp_path / "kubelet.sock", numbered_minors).assigned(node) is None


async def test_a_socket_that_nobody_listens_on_tells_nothing(tmp_path: Path, node: NodeHardware) -> None:
    async with FakeKubelet(tmp_path / "kubelet.sock") as kubelet:
        kept = kubelet.socket.with_suffix(".old")
        kubelet.socket.rename(kept)
    kept.rename(kubelet.socket)
    assert await asking(kubelet).assigned(node) is None


@pytest.mark.parametrize("code", [grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.RESOURCE_EXHAUSTED])
async def test_a_kubelet_that_refuses_tells_nothing(
    kubelet: FakeKubelet, node: NodeHardware, code: grpc.StatusCode
) -> None:
    kubelet.refusal = code
    reader = asking(kubelet)
    assert await reader.assigned(node) is None
    kubelet.refusal = None
    assert await reader.assigned(node) == ()


async def test_a_kubelet_that_hangs_is_left_at_the_limit(kubelet: FakeKubelet, node: NodeHardware) -> None:
    kubelet.silent = True
    assert await asking(kubelet, limit_seconds=0.2).assigned(node) is None


async def test_a_kubelet_that_was_restarted_is_asked_again(tmp_path: Path, node: NodeHardware) -> None:
    reader = PodResources(tmp_path / "kubelet.sock", numbered_minors)
    for name in ("before", "after"):
        async with FakeKubelet(tmp_path / "kubelet.sock") as kubelet:
            kubelet.pods = [pod(name, plugged("main", CPX, A))]
            assert await reader.assigned(node) == (entry(name, CPX, A, A, 0),)
    assert await reader.assigned(node) is None


async def test_an_answer_above_what_grpc_takes_by_itself_is_read(kubelet: FakeKubelet, node: NodeHardware) -> None:
    kubelet.pods = [pod(f"p-{number:04}" + "x" * 200, plugged("main", CPX, A)) for number in range(20_000)]
    assert len(await asking(kubelet).assigned(node) or ()) == 1024
