"""Who a GPU and a partition are on their node.

Handles and render minors change with every mode change; the PCI address does not. A KFD node tells it as
``domain`` and ``location_id``, the latter packed as PCI does: bus in bits 15-8, device in 7-3, function in 2-0.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class PartitionId:
    """A partition of one GPU of a node: the GPU's ``dddd:bb:dd.0`` and the partition's index, from 0."""

    bdf: str
    index: int

    def __str__(self) -> str:
        return f"{self.bdf}/{self.index}"


def bdf_of(domain: int, location_id: int) -> str:
    """The GPU's PCI address ``dddd:bb:dd.0``, lower-case hex, with the function masked.

    The function is masked because the driver writes the partition there: all partitions of a GPU share this text.
    """
    bus = (location_id >> 8) & 0xFF
    device = (location_id >> 3) & 0x1F
    return f"{domain:04x}:{bus:02x}:{device:02x}.0"


def function_of(location_id: int) -> int:
    """The PCI function bits, 0 to 7: where the amdgpu driver writes the partition's index."""
    return location_id & 0x7


def partition_index_of(location_id: int) -> int:
    """The partition's index, from 0, in either place the driver has written it.

    Recorded topologies have it in the function bits; a patch to the kernel's kfd_topology.c, published and reverted
    again, moves it to bits 31-28 and leaves the function 0. Both are read: no partition has bits in both places.
    """
    return (location_id >> 28) & 0xF or function_of(location_id)
