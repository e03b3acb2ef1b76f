"""ResourceIsolator: what keeps a model inside its partition, and an honest name for how strong that is.

AMD has no memory cap per process: the partition is the border, and inside it the engine's own settings are. Facts:
amdgpu's partition modes; vLLM's `gpu-memory-utilization`, `max-model-len` and `max-num-seqs`.
"""

import json
from dataclasses import dataclass
from enum import StrEnum

from controller.binding.shares import Share, Whole, cu_mask
from controller.gpu.mode import ComputeMode, MemoryMode, Mode


class Isolation(StrEnum):
    """What separates a model from its neighbours on the same GPU, the strongest first.

    The last two are those of members of a share group, on one partition: nothing but their own settings keeps their
    memory apart. With `cu-mask` each has compute units of its own as long as its process leaves its environment alone;
    with `cooperative`, where nobody knows the partition's compute units, not even that.
    """

    WHOLE_GPU = "whole-gpu"
    COMPUTE_AND_BANDWIDTH = "compute+bandwidth"
    COMPUTE = "compute"
    CU_MASK = "cu-mask"
    COOPERATIVE = "cooperative"


@dataclass(frozen=True, slots=True)
class MemberSettings:
    """What a member of a share group is told, beside the engine's arguments: values of its environment."""

    cu_mask: str
    memory_fraction: str
    visible_devices: str


#: Memory that vLLM uses outside its own budget on ROCm: captured graphs, 0.7 to 1.6 GiB in published starts of eight
#: to thirty billion parameters, and the driver's context.
OUTSIDE_BUDGET_BYTES = 3 << 29
#: vLLM refuses to start when free memory is below its budget, so a little is always left.
HIGHEST_UTILIZATION = 0.95
_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class ResourceIsolator:
    """Derives engine settings and the isolation label from the partition a model got."""

    outside_budget_bytes: int = OUTSIDE_BUDGET_BYTES
    highest_utilization: float = HIGHEST_UTILIZATION

    def isolation(self, mode: Mode) -> Isolation:
        """The label: an own NPS domain separates bandwidth too, compute partitions alone do not.

        CPX/NPS4 on a product of eight XCDs puts two partitions into each memory domain, so only DPX/NPS2 and
        QPX/NPS4 give each partition a domain of its own.
        """
        if mode.compute is ComputeMode.SPX:
            return Isolation.WHOLE_GPU
        own_domain = {(ComputeMode.DPX, MemoryMode.NPS2), (ComputeMode.QPX, MemoryMode.NPS4)}
        return Isolation.COMPUTE_AND_BANDWIDTH if (mode.compute, mode.memory) in own_domain else Isolation.COMPUTE

    def shared_isolation(self, whole: Whole) -> Isolation:
        """The label of a share group's members."""
        return Isolation.CU_MASK if whole.compute_units else Isolation.COOPERATIVE

    def settings(self, whole: Whole, share: Share) -> MemberSettings:
        """What one member of a share group is told.

        The fraction, four decimals, is rounded down: fractions of all members are never more than the partition. Of
        devices the container sees the group's one, number 0; saying so changes nothing and is a hint for tools.
        """
        fraction = share.bytes * _STEPS // whole.bytes
        return MemberSettings(cu_mask(share.units), f"{fraction / _STEPS:.4f}", "0")

    def memory_utilization(self, partition_bytes: int) -> float:
        """Share of the partition that the engine may plan with, two decimals, rounded down."""
        share = (partition_bytes - self.outside_budget_bytes) / partition_bytes
        return max(0.0, min(self.highest_utilization, int(share * 100) / 100))

    def engine_arguments(
        self,
        partition_bytes: int,
        max_model_len: int,
        max_concurrency: int,
        *,
        partitions: int = 1,
        quantization: str = "",
    ) -> str:
        """Engine settings as the JSON object that AIM containers take in AIM_ENGINE_ARGS; a rank on each partition.

        `quantization` is what the engine makes of 16-bit weights as it loads them, "" where it loads them as they are.
        """
        quantized = {"quantization": quantization} if quantization else {}
        return json.dumps(
            {
                "gpu-memory-utilization": self.memory_utilization(partition_bytes),
                "max-model-len": max_model_len,
                "max-num-seqs": max_concurrency,
                "scheduling-policy": "priority",
                "tensor-parallel-size": partitions,
                **quantized,
            },
            separators=(",", ":"),
            sort_keys=True,
        )
