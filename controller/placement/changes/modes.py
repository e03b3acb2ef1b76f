"""Changes of idle GPUs' modes: one GPU for another compute mode, the whole node for another memory mode.

Counted: whether it has to wait, whether the driver is reloaded, GPUs touched, bytes of a partition.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from controller.gpu.identity import PartitionId
from controller.gpu.layout import slices
from controller.gpu.mode import Mode, ModeError
from controller.gpu.product import UnknownProduct, product_named
from controller.placement.changes.change import Change, Kind
from controller.placement.changes.look import Look, Obstacle
from controller.placement.snapshot import Gpu, Node, Partition

_SINGLE: Final = "single"


def change_mode(look: Look) -> Iterator[Change]:
    """Every mode of every idle GPU of the node that would give the demand its place."""
    node = look.node
    if any(node.unlocated.values()):
        return  # a pod of the device plugin holds a device, and nobody has told yet which
    movable = {gpu.bdf for gpu in node.gpus if _idle(node, gpu, look.around.admin_held)}
    seen: set[object] = set()
    for gpu in node.gpus:
        if gpu.bdf not in movable or not all(partition.healthy for partition in gpu.partitions):
            continue
        for mode in gpu.allowed:
            kind = (gpu.product, gpu.mode, gpu.allowed, gpu.validated, mode)
            if mode == gpu.mode or kind in seen:
                continue
            seen.add(kind)  # an idle GPU that is like another becomes like it
            after = _after(node, gpu, mode)
            if after is None or not movable.issuperset(after):
                continue
            changed = changed_node(node, after)
            if changed is not None and look.fits(changed):
                yield _change(look, gpu, mode, after)


def _idle(node: Node, gpu: Gpu, admin_held: frozenset[tuple[str, str]]) -> bool:
    return gpu.plan is None and not any(
        partition.holder is not None
        or partition.reservation is not None
        or partition.quarantined
        or (node.pool, partition.device) in admin_held
        for partition in gpu.partitions
    )


def _after(node: Node, gpu: Gpu, mode: Mode) -> Mapping[str, Mode] | None:
    """The modes of the GPUs that a change touches; None where one of them cannot follow."""
    alike = node.plugin and node.naming == _SINGLE  # the plugin advertises nothing of a node in several modes
    if mode.memory == gpu.mode.memory and not alike:
        return {gpu.bdf: mode}
    after: dict[str, Mode] = {}
    for other in node.gpus:
        kept = Mode(other.mode.compute, mode.memory)
        if other.bdf != gpu.bdf and kept in other.allowed and not alike:
            after[other.bdf] = kept
        elif mode in other.allowed:
            after[other.bdf] = mode
        else:
            return None
    return after


def changed_node(node: Node, after: Mapping[str, Mode]) -> Node | None:
    """The node with those modes; None for a product or a mode that no table has figures of."""
    gpus = []
    for gpu in node.gpus:
        became = in_mode(node, gpu, after[gpu.bdf]) if gpu.bdf in after else gpu
        if became is None:
            return None
        gpus.append(became)
    if not node.plugin:
        return replace(node, gpus=tuple(gpus))
    devices = Counter(partition.resource for gpu in gpus for partition in gpu.partitions if partition.resource)
    return replace(node, gpus=tuple(gpus), devices=devices)


def in_mode(node: Node, gpu: Gpu, mode: Mode) -> Gpu | None:
    """The GPU in the mode, nobody on it; None where no table says what it would be. The device names are made up."""
    if mode == gpu.mode:
        return gpu
    try:
        pieces = slices(product_named(gpu.product), mode)
    except (UnknownProduct, ModeError):
        return None
    resource = ""
    if node.plugin and node.naming is not None:
        resource = f"amd.com/{'gpu' if node.naming == _SINGLE else mode.profile}"
    made = (
        Partition(
            PartitionId(gpu.bdf, one.index), f"{gpu.bdf}/{one.index}", one.index, one.bytes, one.compute_units,
            resource=resource,
        )
        for one in pieces
    )  # fmt: skip
    return replace(gpu, mode=mode, partitions=tuple(made))


def _forbidden(node: Node, after: Mapping[str, Mode]) -> str:
    """What the policy says against the modes; "" when nothing."""
    policy = node.policy
    if policy is None:
        return ""
    for gpu in node.gpus:
        mode = after.get(gpu.bdf, gpu.mode)
        if mode == gpu.mode:
            continue
        if policy.modes and mode not in policy.modes:
            return f"policy {policy.name} does not allow {mode} (spec.allowedModes)"
        if policy.validated_only and mode not in gpu.validated:
            unproven = f"{mode} is not among the modes that AMD validated on {gpu.product}"
            return f"{unproven}, and policy {policy.name} allows no others (spec.validatedOnly)"
    return ""


def _change(look: Look, gpu: Gpu, mode: Mode, after: Mapping[str, Mode]) -> Change:
    node = look.node
    forbidden = _forbidden(node, after)
    obstacle = Obstacle(forbidden) if forbidden else look.around.obstacle(node)
    automatic = node.policy is not None and node.policy.approval == "Auto"
    others = len(after) - 1
    also = f" with {others} more GPUs, which reloads the driver" if mode.memory != gpu.mode.memory and others else ""
    what = f"put {node.name} {gpu.bdf} into {mode} (now {gpu.mode}){also}"
    if obstacle is not None and not obstacle.passing:
        kind, text = Kind.POLICY, f"{what}; not permitted: {obstacle.message}"
    else:
        kind = Kind.MODE_CHANGE if automatic else Kind.APPROVAL
        said = "the operator does it by itself" if automatic else "the plan for it needs an approval: aim-gpu approve"
        text = f"{what}; {said}" + (f", not before: {obstacle.message}" if obstacle is not None else "")
    touched = changed_node(node, after)
    size = 0 if touched is None else next(each for each in touched.gpus if each.bdf == gpu.bdf).partitions[0].bytes
    reloads = mode.memory != gpu.mode.memory

    def on_node(it: Node) -> Node:
        return changed_node(it, after) or it

    return Change(
        kind=kind,
        target=f"{node.name} {gpu.bdf} {mode}",
        text=text,
        counted=(2 if kind is Kind.POLICY else int(obstacle is not None), int(reloads), len(after), size),
        node=node.name,
        count=len(after),
        permitted=kind is not Kind.POLICY,
        on_node=on_node,
    )
