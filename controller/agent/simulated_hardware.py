"""A simulated node at one moment: what its sources would tell of it, given its modes and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.agent.backend import EccCount, GpuProcess, HardwareGpu, HardwarePartition, NodeHardware
from controller.agent.hives import hives_by_id
from controller.agent.simulated_faults import Fault
from controller.agent.simulated_seed import (
    DRIVER_SOURCE_VERSION,
    DRIVER_VERSION,
    FAMILY,
    SIMD_PER_COMPUTE_UNIT,
    SeededGpu,
    market_name,
)
from controller.agent.simulated_state import SimulatedModes
from controller.gpu.layout import slices
from controller.gpu.mode import Mode
from controller.gpu.product import Product

_ERRORS = EccCount(correctable=12, uncorrectable=2, deferred=1)
_NO_ERRORS = EccCount(0, 0, 0)


@dataclass(frozen=True, slots=True)
class SimulatedNode:
    """The server, the modes of its GPUs, and by address which of them have which lasting fault, and who has them open.

    `loaded` is False while no driver answers.
    """

    product: Product
    seeded: tuple[SeededGpu, ...]
    modes: SimulatedModes
    faults: Mapping[Fault, frozenset[str]] = field(default_factory=dict)
    processes: Mapping[str, tuple[GpuProcess, ...]] = field(default_factory=dict)
    loaded: bool = True

    @property
    def present(self) -> tuple[SeededGpu, ...]:
        """The GPUs that are there."""
        return tuple(gpu for gpu in self.seeded if not self.has(Fault.GPU_LOST, gpu.bdf))

    def has(self, fault: Fault, bdf: str) -> bool:
        """Whether the GPU has that fault now."""
        return bdf in self.faults.get(fault, frozenset())

    def mode_of(self, bdf: str) -> Mode:
        """The mode the GPU really is in."""
        return Mode(self.modes.compute[bdf], self.modes.memory)

    def partitions(self, seeded: SeededGpu) -> tuple[HardwarePartition, ...]:
        """The partitions of a GPU as AMD SMI shows them."""
        pieces = slices(self.product, self.mode_of(seeded.bdf))
        return tuple(
            HardwarePartition(
                id=piece.index,
                render_index=seeded.first_render_index + piece.index,
                card_index=seeded.first_card_index + piece.index,
                bytes=piece.bytes,
                compute_units=piece.compute_units,
                simd_units=piece.compute_units * SIMD_PER_COMPUTE_UNIT,
            )
            for piece in (pieces[:-1] if self.has(Fault.PARTITION_MISSING, seeded.bdf) else pieces)
        )

    def kfd_partitions(self, seeded: SeededGpu) -> tuple[HardwarePartition, ...]:
        """The partitions of a GPU as KFD shows them."""
        shown = self.partitions(seeded)
        return shown[:-1] if self.has(Fault.COUNTS_DIFFER, seeded.bdf) else shown

    def hardware(self) -> NodeHardware:
        """The node as a backend reads it."""
        hives = hives_by_id({seeded.bdf: seeded.hive_id for seeded in self.present})
        return NodeHardware(
            DRIVER_VERSION,
            DRIVER_SOURCE_VERSION,
            tuple(self._gpu(seeded, hives.get(seeded.bdf)) for seeded in self.present),
            tuple(
                f"GPU {seeded.bdf}: AMD SMI shows {len(self.partitions(seeded))} partitions, "
                f"KFD {len(self.kfd_partitions(seeded))}"
                for seeded in self.present
                if self.has(Fault.COUNTS_DIFFER, seeded.bdf)
            ),
        )

    def ecc(self, bdf: str) -> EccCount | None:
        """The memory errors a GPU tells of."""
        if self.has(Fault.NOT_TOLD, bdf):
            return None
        return _ERRORS if self.has(Fault.MEMORY_ERRORS, bdf) else _NO_ERRORS

    def _gpu(self, seeded: SeededGpu, hive: int | None) -> HardwareGpu:
        partitions = self.partitions(seeded)
        mode = self.mode_of(seeded.bdf)
        return HardwareGpu(
            bdf=seeded.bdf,
            unique_id=seeded.unique_id,
            product=self.product.name,
            market_name=market_name(self.product),
            family=FAMILY,
            vram_bytes=slices(self.product, self.product.allowed[0])[0].bytes,
            mode=None if self.has(Fault.MODE_NOT_TOLD, seeded.bdf) else mode,
            modes_allowed=self.product.allowed,
            modes_validated=self.product.validated,
            partitions=partitions,
            missing_partitions=self.product.partition_count(mode.compute) - len(partitions),
            ecc=self.ecc(seeded.bdf),
            hive=hive,
        )
