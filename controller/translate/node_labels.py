"""A GPUNode as labels of its Node, in three spellings: ours, aim-engine's, and AMD's labeller's.

Ours and aim-engine's partition labels stand on every managed node. AMD's own labeller writes `amd.com/gpu.*` on
hardware, so those are written on simulated nodes only. What was written stands in one annotation of the Node, so that
exactly that is taken back, by whichever process comes next.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from api.group import GROUP
from controller.gpu.mode import ComputeMode, MemoryMode, Mode
from controller.gpu.product import PRODUCTS

if TYPE_CHECKING:  # who only wants the labels' names does not wait for the models
    from api.v1beta1 import GPUNode
    from api.v1beta1.gpu_node import GPU

PRODUCT_LABEL: Final = f"{GROUP}/gpu.product"
"""The product of the node's GPUs, when all are the same."""

MODE_LABEL: Final = f"{GROUP}/gpu.mode"
"""The mode of the node's GPUs, such as ``CPX-NPS4``; ``mixed`` when they differ, absent while one cannot be read."""

COUNT_LABEL: Final = f"{GROUP}/gpu.count"
"""How many GPUs the node has."""

PARTITIONS_LABEL: Final = f"{GROUP}/gpu.partitions"
"""How many partitions they have, those of a GPU whose mode cannot be read not counted; absent while none can be."""

MIXED: Final = "mixed"

METRICS_EXPORTER_LABEL: Final = f"{GROUP}/metrics-exporter"
"""``paused`` while a change of modes keeps AMD's metrics exporter off the node; absent otherwise."""

PAUSED: Final = "paused"

WRITTEN_ANNOTATION: Final = f"{GROUP}/node-labels"
"""Keys of the labels that the operator wrote, sorted, with commas between."""

SCHEME_PREFIX: Final = "feature.node.kubernetes.io/aim-accelerator.partitioning-scheme."
"""aim-engine's axis of partitioning: docs of its accelerator detection, "GPU Partition Scheme Labels"."""

_UNPARTITIONED = Mode(ComputeMode.SPX, MemoryMode.NPS1)
_SIMD_PER_COMPUTE_UNIT = 4
#: libdrm's family of every Instinct product here, which the labeller asks it for.
_FAMILY = "AI"
_LABEL_LENGTH = 63


@dataclass(frozen=True, slots=True)
class LabelChange:
    """A merge patch's labels (None removes), and the annotation's new value (None: none is left)."""

    labels: Mapping[str, str | None]
    written: str | None


def wanted_labels(node: "GPUNode") -> dict[str, str]:
    """What the Node is to carry; nothing before the first report, or when the node is not managed."""
    gpus = node.status.gpus
    if not node.spec.managed or not gpus:
        return {}
    known = [(gpu, Mode.parse(gpu.mode)) for gpu in gpus if gpu.mode is not None]
    labels = _inventory(gpus)
    if not known:
        return labels
    labels |= _partitioning(known, all_known=len(known) == len(gpus)) | _aim_engine(known)
    return labels | _amd_labeller(node, known) if node.status.simulated else labels


def label_change(
    wanted: Mapping[str, str], present: Mapping[str, str], annotations: Mapping[str, str]
) -> LabelChange | None:
    """What is to be patched; None when nothing is.

    A label that somebody else wrote with the value we want stays theirs. One with another value is overwritten, and
    ours from then on.
    """
    ours = {key for key in annotations.get(WRITTEN_ANNOTATION, "").split(",") if key}
    kept = {key for key, value in wanted.items() if key in ours or present.get(key) != value}
    changed: dict[str, str | None] = {key: wanted[key] for key in sorted(kept) if present.get(key) != wanted[key]}
    changed |= {key: None for key in sorted(ours - kept) if key in present}
    if not changed and kept == ours:
        return None
    return LabelChange(changed, ",".join(sorted(kept)) or None)


def _inventory(gpus: "Sequence[GPU]") -> dict[str, str]:
    products = {gpu.product for gpu in gpus}
    labels = {COUNT_LABEL: str(len(gpus))}
    return labels | ({PRODUCT_LABEL: _label_value(products.pop())} if len(products) == 1 else {})


def _partitioning(known: "Sequence[tuple[GPU, Mode]]", *, all_known: bool) -> dict[str, str]:
    modes = {mode for _, mode in known}
    labels = {PARTITIONS_LABEL: str(sum(len(gpu.partitions) for gpu, _ in known))}
    return labels | ({MODE_LABEL: modes.pop().scheme if len(modes) == 1 else MIXED} if all_known else {})


def _aim_engine(known: "Iterable[tuple[GPU, Mode]]") -> dict[str, str]:
    """Units by scheme. Unpartitioned ones count as `default`, too; those of a GPU that has no other mode only so."""
    units: Counter[str] = Counter()
    for gpu, mode in known:
        if mode == _UNPARTITIONED:
            units["default"] += len(gpu.partitions)
        if mode != _UNPARTITIONED or len(gpu.modes_allowed) > 1:
            units[mode.scheme] += len(gpu.partitions)
    return {f"{SCHEME_PREFIX}{scheme}": str(count) for scheme, count in units.items()}


def _amd_labeller(node: "GPUNode", known: "Iterable[tuple[GPU, Mode]]") -> dict[str, str]:
    """As AMD's labeller counts (ROCm/k8s-device-plugin, cmd/k8s-node-labeller/main.go): each partition is a device."""
    gpus = list(known)
    devices = [(gpu, mode, partition) for gpu, mode in gpus for partition in gpu.partitions]
    labels = {
        "amd.com/gpu.compute-partitioning-supported": _yes(any(len(gpu.modes_allowed) > 1 for gpu, _ in gpus)),
        "amd.com/gpu.memory-partitioning-supported": _yes(any(_memory_modes(gpu) > 1 for gpu, _ in gpus)),
    }
    labels |= _counted("family", [_FAMILY for _ in devices])
    labels |= _counted("device-id", [_device_id(gpu) for gpu, _, _ in devices])
    labels |= _counted("product-name", [_label_value(f"AMD_Instinct_{gpu.product}") for gpu, _, _ in devices])
    labels |= _counted("vram", [f"{round(partition.bytes / 2**30)}G" for _, _, partition in devices])
    labels |= _counted("cu-count", [str(partition.compute_units) for _, _, partition in devices])
    labels |= _counted(
        "simd-count", [str(partition.compute_units * _SIMD_PER_COMPUTE_UNIT) for _, _, partition in devices]
    )
    if node.status.driver.version:
        labels["amd.com/gpu.driver-version"] = _label_value(node.status.driver.version)
    profiles = {mode.profile for _, mode in gpus}
    return labels | ({"amd.com/gpu.compute-memory-partition": profiles.pop()} if len(profiles) == 1 else {})


def _counted(kind: str, values: Iterable[str]) -> dict[str, str]:
    """One value for all is the label's value; of several each becomes a label with its count."""
    counts = Counter(value for value in values if value)
    key = f"amd.com/gpu.{kind}"
    if len(counts) == 1:
        return {key: next(iter(counts))}
    return {f"{key}.{value}": str(count) for value, count in counts.items()}


def _device_id(gpu: "GPU") -> str:
    product = PRODUCTS.get(gpu.product)
    return f"{min(product.device_ids):04x}" if product is not None else ""


def _memory_modes(gpu: "GPU") -> int:
    return len({Mode.parse(mode).memory for mode in gpu.modes_allowed})


def _label_value(text: str) -> str:
    """The text as a label's value may be: what may not stand there becomes an underscore."""
    legal = "".join(sign if (sign.isascii() and sign.isalnum()) or sign in "-_." else "_" for sign in text)
    return legal[:_LABEL_LENGTH].strip("-_.")


def _yes(fact: bool) -> str:
    return str(fact).lower()
