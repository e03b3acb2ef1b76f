"""GPUs that an agent is changing, whether or not the plan that asked for it is still there."""

from dataclasses import replace
from datetime import datetime

from api.v1beta1 import GPUNode
from api.v1beta1.gpu_node import OperationPhase
from controller.gpu.mode import Mode
from controller.placement.snapshot import Gpu


def under_operation(gpu_node: GPUNode, gpus: tuple[Gpu, ...]) -> tuple[Gpu, ...]:
    """The GPUs, those in hand that the operation changes: a plan may be deleted while its agent is at work."""
    operation = gpu_node.spec.operation
    if operation is None:
        return gpus
    before, after = ({each.bdf: Mode.parse(each.mode) for each in at.gpus} for at in (operation.from_, operation.to))
    reloads = {mode.memory for mode in before.values()} != {mode.memory for mode in after.values()}
    return tuple(
        replace(gpu, plan=operation.id) if gpu.plan is None and (reloads or gpu.bdf in after) else gpu for gpu in gpus
    )


def changed_at(gpu_node: GPUNode) -> datetime | None:
    """When the agent last ended a change, by its own word: it is known even where the plan was deleted since."""
    done = gpu_node.status.operation
    return done.end_time if done is not None and done.phase is OperationPhase.SUCCEEDED else None
