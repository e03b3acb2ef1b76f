"""GPU nodes that exist in a file only, for a plan: as an agent would report them, with nobody on them. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.group import MANAGED_LABEL
from api.v1beta1 import GPUSharingPolicy
from controller.agent.hives import hives_by_id
from controller.agent.simulated_seed import MAX_GPUS, SeededGpu, seeded_gpus
from controller.cli.documents import BadInput
from controller.cli.names import is_object_name
from controller.gpu.identity import PartitionId
from controller.gpu.layout import slices
from controller.gpu.mode import Mode, ModeError
from controller.gpu.product import Product, UnknownProduct, product_named
from controller.placement.demand import Resources
from controller.placement.filters import HOSTNAME_LABEL
from controller.placement.snapshot import Gpu, Node, Partition, PolicyView
from controller.translate.policy import policy_for, policy_view

SERVER = Resources(cpu_milli=192_000, memory_bytes=2 << 40, pods=500)
"""What a planned node has besides GPUs: 192 cores, 2 TiB, 500 pods, as a usual eight-GPU server."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class OfflineNode:
    """One node: its GPUs are all of one product and in one mode."""

    name: str
    mode: Mode
    product: Product
    gpus: int = MAX_GPUS
    labels: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name} {self.gpus}x{self.product.name} {self.mode}"


def default_nodes() -> tuple[OfflineNode, ...]:
    """The nodes of a plan that is told none, and those of `make run`: three servers in three modes."""
    modes = {"gpu-a": "SPX/NPS1", "gpu-b": "CPX/NPS4", "gpu-c": "DPX/NPS1"}
    return tuple(OfflineNode(name, Mode.parse(mode), product_named("MI300X")) for name, mode in modes.items())


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)

    name: Annotated[str, Field(min_length=1)]
    product: str = "MI300X"
    gpus: Annotated[int, Field(ge=1, le=MAX_GPUS)] = MAX_GPUS
    mode: str = "SPX/NPS1"
    labels: dict[str, str] = {}


class _Nodes(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)

    nodes: Annotated[list[_Entry], Field(min_length=1)]


def parse_nodes(file: Path, contents: list[object]) -> tuple[OfflineNode, ...]:
    """The nodes of a file's YAML documents: `nodes: [{name, product, gpus, mode, labels}]`. Raises BadInput."""
    if len(contents) != 1:
        raise BadInput(file, "document", len(contents), "documents are in it", "write one, with the list `nodes`")
    try:
        entries = _Nodes.model_validate(contents[0]).nodes
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(map(str, first["loc"])) or "document"
        raise BadInput(
            file,
            path,
            first["input"],
            f"is refused ({first['msg']})",
            "write e.g. nodes: [{name: gpu-a, product: MI300X, gpus: 8, mode: CPX/NPS4}]",
        ) from error
    return tuple(_node(file, index, entry) for index, entry in enumerate(entries) if _first(file, index, entries))


def _first(file: Path, index: int, entries: list[_Entry]) -> bool:
    name = entries[index].name
    if any(entry.name == name for entry in entries[:index]):
        raise BadInput(file, f"nodes.{index}.name", name, "is given twice", "name each node once")
    return True


def _node(file: Path, index: int, entry: _Entry) -> OfflineNode:
    if not is_object_name(entry.name):
        remedy = "write at most 253 lower-case letters, digits, dashes and dots"
        raise BadInput(file, f"nodes.{index}.name", entry.name, "cannot name a node", remedy)
    try:
        product = product_named(entry.product)
    except UnknownProduct as error:
        raise BadInput(file, f"nodes.{index}.product", entry.product, "is unknown", str(error)) from error
    try:
        mode = Mode.parse(entry.mode)
        product.partition_bytes(mode)
    except ModeError as error:
        raise BadInput(file, f"nodes.{index}.mode", entry.mode, "cannot be", str(error)) from error
    return OfflineNode(entry.name, mode, product, entry.gpus, entry.labels)


def placement_node(
    node: OfflineNode, policies: Iterable[GPUSharingPolicy], namespaces: Mapping[str, Mapping[str, str]]
) -> Node:
    """The node as placement sees it, under the policy that rules it. GPU addresses are those of simulated servers."""
    labels = {HOSTNAME_LABEL: node.name, MANAGED_LABEL: "true", **node.labels}
    policy = policy_for(labels, policies)
    return Node(
        name=node.name,
        hostname=labels[HOSTNAME_LABEL],
        gpus=_gpus(node),
        allocatable=SERVER,
        labels=labels,
        policy=_within_a_window(policy_view(policy, namespaces, None, _LONG_AGO)) if policy else None,
        pool=node.name,
    )


def _within_a_window(policy: PolicyView) -> PolicyView:
    """A plan on paper has no time of day: it shows what changes once a window of the policy is open."""
    return replace(policy, in_window=True, window_opens="")


def _gpus(node: OfflineNode) -> tuple[Gpu, ...]:
    seeded = seeded_gpus(node.gpus, node.product)
    hives = hives_by_id({gpu.bdf: gpu.hive_id for gpu in seeded})
    return tuple(_gpu(gpu, node.product, node.mode, hives.get(gpu.bdf)) for gpu in seeded)


def _gpu(seeded: SeededGpu, product: Product, mode: Mode, hive: int | None) -> Gpu:
    return Gpu(
        bdf=seeded.bdf,
        product=product.name,
        mode=mode,
        partitions=partitions(seeded.bdf, product, mode),
        allowed=product.allowed,
        validated=product.validated,
        hive=hive,
    )


def partitions(bdf: str, product: Product, mode: Mode) -> tuple[Partition, ...]:
    """The partitions of one GPU in a mode, all free. Device names are not planned: they play no part in a choice."""
    return tuple(
        Partition(PartitionId(bdf, piece.index), f"{bdf}/{piece.index}", piece.index, piece.bytes, piece.compute_units)
        for piece in slices(product, mode)
    )
