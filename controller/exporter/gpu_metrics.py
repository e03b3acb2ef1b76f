"""Rows of the metrics of whole GPUs, and of the nodes and agents that they belong to."""

from collections.abc import Iterable, Iterator

from controller.exporter.partition_metrics import Row
from controller.gpu.figures import GpuFigures, NodeFigures


def agent_rows(nodes: Iterable[NodeFigures]) -> Iterator[Row]:
    """One row a node, with where its figures come from. For AGENT_INFO."""
    return (((node.node, node.backend, "true" if node.simulated else "false", node.driver), 1.0) for node in nodes)


def readable_rows(nodes: Iterable[NodeFigures]) -> Iterator[Row]:
    """One row for each node whose GPUs were tried to be read: 1 where they could be, 0 where not. For
    AGENT_HARDWARE_READABLE.
    """
    return (((node.node,), float(node.readable)) for node in nodes if node.readable is not None)


def info_rows(gpus: Iterable[GpuFigures]) -> Iterator[Row]:
    """One row a GPU with its product and mode. For GPU_INFO."""
    return (((gpu.node, gpu.gpu, gpu.product, gpu.mode), 1.0) for gpu in gpus)


def temperature_rows(gpus: Iterable[GpuFigures]) -> Iterator[Row]:
    """A row for each sensor that a GPU has. For GPU_TEMPERATURE."""
    return (
        ((gpu.node, gpu.gpu, sensor), degrees) for gpu in gpus for sensor, degrees in sorted(gpu.temperatures.items())
    )


def power_rows(gpus: Iterable[GpuFigures]) -> Iterator[Row]:
    """A row for each GPU that tells what it draws. For GPU_POWER."""
    return (((gpu.node, gpu.gpu), gpu.power_watts) for gpu in gpus if gpu.power_watts is not None)


def error_rows(gpus: Iterable[GpuFigures]) -> Iterator[Row]:
    """Three rows for each GPU that counts memory errors. For GPU_ECC_ERRORS."""
    return (
        ((gpu.node, gpu.gpu, severity), float(count)) for gpu in gpus for severity, count in sorted(gpu.errors.items())
    )


def process_rows(gpus: Iterable[GpuFigures]) -> Iterator[Row]:
    """A row for each GPU of which it is known who has it open. For GPU_PROCESSES."""
    return (((gpu.node, gpu.gpu), float(gpu.processes)) for gpu in gpus if gpu.processes is not None)


def missing_rows(gpus: Iterable[GpuFigures]) -> Iterator[Row]:
    """A row a GPU. For GPU_PARTITIONS_MISSING."""
    return (((gpu.node, gpu.gpu), float(gpu.missing_partitions)) for gpu in gpus)
