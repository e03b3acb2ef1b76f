"""Rows of the partition metrics: memory by type, and the busy share of the compute units."""

from collections.abc import Iterable, Iterator
from typing import Protocol

Row = tuple[float, dict[str, str]]
"""A value and its labels."""


class PartitionFigures(Protocol):
    """What is known of one partition. Bytes; `busy` 0 to 1; `namespace`, `claim` and `model` are "" when it is free.

    What is not known is None: its row is left out, because 0 would be a statement.
    """

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
        """The GPU's mode, `CPX/NPS4`; "" when it cannot be read."""
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
    def used_bytes(self) -> int | None:
        """What the device reports as used."""
        ...

    @property
    def busy(self) -> float | None:
        """The busy share of its compute units."""
        ...


def memory_rows(partitions: Iterable[PartitionFigures]) -> Iterator[Row]:
    """Up to three rows a partition, told apart by the label `type`: total, allocated, and used where it is told."""
    for figures in partitions:
        labels = _labels(figures)
        yield float(figures.total_bytes), {**labels, "type": "total"}
        yield float(figures.allocated_bytes), {**labels, "type": "allocated"}
        if figures.used_bytes is not None:
            yield float(figures.used_bytes), {**labels, "type": "used"}


def utilization_rows(partitions: Iterable[PartitionFigures]) -> Iterator[Row]:
    """One row for each partition whose busy share is told."""
    for figures in partitions:
        if figures.busy is not None:
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
