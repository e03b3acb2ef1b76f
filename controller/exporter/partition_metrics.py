"""Rows of the partition metrics: memory by type, and the busy share of the compute units."""

from collections.abc import Iterable, Iterator
from typing import Protocol

Row = tuple[float, dict[str, str]]
"""A value and its labels."""


class PartitionFigures(Protocol):
    """What is known of one partition. Bytes; `busy` 0 to 1; `namespace`, `claim` and `model` are "" when it is free."""

    @property
    def node(self) -> str:
        """The node's name."""
        ...

    @property
    def gpu(self) -> str:
        """The GPU's address."""
        ...

    @property
    def partition(self) -> int:
        """The partition's number within its GPU."""
        ...

    @property
    def mode(self) -> str:
        """The GPU's mode, `CPX/NPS4`."""
        ...

    @property
    def namespace(self) -> str:
        """The namespace of the claim that holds it."""
        ...

    @property
    def claim(self) -> str:
        """The name of the claim that holds it."""
        ...

    @property
    def model(self) -> str:
        """The model behind the claim, "" when it is not known."""
        ...

    @property
    def total_bytes(self) -> int:
        """All the memory there is."""
        ...

    @property
    def allocated_bytes(self) -> int:
        """What the claim was sized at; all of it when the claim is not ours."""
        ...

    @property
    def used_bytes(self) -> int:
        """What the device reports as used."""
        ...

    @property
    def busy(self) -> float:
        """The busy share of its compute units."""
        ...


def memory_rows(partitions: Iterable[PartitionFigures]) -> Iterator[Row]:
    """Three rows a partition, told apart by the label `type`: total, allocated, used."""
    for figures in partitions:
        labels = _labels(figures)
        yield float(figures.total_bytes), {**labels, "type": "total"}
        yield float(figures.allocated_bytes), {**labels, "type": "allocated"}
        yield float(figures.used_bytes), {**labels, "type": "used"}


def utilization_rows(partitions: Iterable[PartitionFigures]) -> Iterator[Row]:
    """One row a partition."""
    for figures in partitions:
        yield figures.busy, _labels(figures)


def _labels(figures: PartitionFigures) -> dict[str, str]:
    return {
        "node": figures.node,
        "gpu": figures.gpu,
        "partition": str(figures.partition),
        "mode": figures.mode,
        "namespace": figures.namespace,
        "claim": figures.claim,
        "model": figures.model,
    }
