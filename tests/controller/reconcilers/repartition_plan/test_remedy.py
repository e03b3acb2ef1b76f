from typing import Any

import pytest

from api.v1beta1 import GPUNode, RepartitionPlan
from controller.placement.snapshot import Gpu
from controller.reconcilers.repartition_plan.remedy import degraded
from tests.builders.gpu import bdf, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.plan import plan


def told(*gpus: Gpu, memory: str = "NPS1", missing: tuple[int, ...] = ()) -> tuple[str, str]:
    """Reason and remedy of a plan that took two GPUs from SPX to CPX, while the agent reads `gpus`."""
    made = plan(numbers=(0, 1))
    made["spec"]["to"] = {"gpus": [{"bdf": bdf(number), "mode": f"CPX/{memory}"} for number in (0, 1)]}
    node: dict[str, Any] = gpu_node("worker-0", *gpus)
    node["status"]["missingGpus"] = [{"bdf": bdf(number), "since": "2026-01-01T00:00:00Z"} for number in missing]
    return degraded(GPUNode.model_validate(node), RepartitionPlan.model_validate(made))


@pytest.mark.parametrize(
    ("memory", "want"),
    [
        ("NPS1", f"then `amd-smi set --gpu {bdf(1)} --compute-partition SPX`."),
        (
            "NPS4",
            "then `amd-smi set --memory-partition NPS1 && modprobe -r amdgpu && modprobe amdgpu && "
            f"amd-smi set --gpu {bdf(0)} --compute-partition SPX && amd-smi set --gpu {bdf(1)} --compute-partition SPX`.",
        ),
    ],
    ids=["a compute mode, of the GPU that has another", "a memory mode, with a reload, which all GPUs forget modes by"],
)
def test_the_remedy_has_the_commands_for_the_former_layout(memory: str, want: str) -> None:
    reason, text = told(gpu(0, "SPX/NPS1"), gpu(1, "CPX/NPS1"), memory=memory)
    assert reason == "LayoutUnknown"
    assert want in text
    assert f"The agent reads CPX/NPS1 of {bdf(1)}; SPX/NPS1 of {bdf(0)}." in text
    assert "`kubectl drain worker-0 --ignore-daemonsets" in text


def test_there_is_no_command_for_a_gpu_that_is_gone() -> None:
    reason, text = told(gpu(0, "CPX/NPS1"), missing=(1,))
    assert reason == "LayoutUnknown"
    assert f"--gpu {bdf(0)} " in text
    assert f"--gpu {bdf(1)}" not in text
    assert f"Not there any more: {bdf(1)}. Power worker-0 off and on; replace the GPU if it stays away." in text


def test_of_gpus_as_before_nothing_is_asked_but_the_lost_one() -> None:
    reason, text = told(gpu(0, "SPX/NPS1"), missing=(1,))
    assert reason == "GPUMissing"
    assert text.startswith(f"The agent reads SPX/NPS1 of {bdf(0)}. Not there any more: {bdf(1)}. Power worker-0")
    assert "drain" not in text


def test_a_gpu_whose_mode_nobody_reads_is_set_too() -> None:
    reason, text = told(gpu(0, "SPX/NPS1"))
    assert (reason, f"no mode of {bdf(1)}" in text, f"--gpu {bdf(1)} " in text) == ("LayoutUnknown", True, True)
