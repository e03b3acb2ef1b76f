"""Rows of the partition metrics: memory by type, busy share of the compute units, health."""

from collections.abc import Iterable, Iterator

from controller.gpu.figures import PartitionFigures
from controller.telemetry.families import Labels

Row = tuple[Labels, float]
"""Values of the labels in the instrument's order, and the figure."""


def memory_rows(partitions: Iterable[PartitionFigures]) -> Iterator[Row]:
    """Up to three rows a partition, told apart by the last label, `type`: total, allocated, used, those that are known.

    For PARTITION_MEMORY.
    """
    for figures in partitions:
        labels = _labels(figures)
        for kind, amount in (
            ("total", figures.total_bytes),
            ("allocated", figures.allocated_bytes),
            ("used", figures.used_bytes),
        ):
            if amount is not None:
                yield (*labels, kind), float(amount)


def utilization_rows(partitions: Iterable[PartitionFigures]) -> Iterator[Row]:
    """One row for each partition whose busy share is told. For PARTITION_UTILIZATION."""
    return ((_labels(figures), figures.busy) for figures in partitions if figures.busy is not None)


def health_rows(partitions: Iterable[PartitionFigures]) -> Iterator[Row]:
    """One row a partition: 1 where it is healthy, 0 where it is not. For PARTITION_HEALTH."""
    return ((_labels(figures), float(figures.healthy)) for figures in partitions)


def _labels(figures: PartitionFigures) -> Labels:
    return (
        figures.node,
        figures.gpu,
        str(figures.partition),
        figures.mode,
        figures.claim,
        figures.pod,
        figures.namespace,
        figures.service,
        figures.model,
    )
