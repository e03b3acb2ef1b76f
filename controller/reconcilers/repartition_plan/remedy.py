"""What a person can do when even the way back did not succeed: the text of the condition Degraded."""

from collections import defaultdict

from api.v1beta1 import GPUNode, RepartitionPlan
from api.v1beta1.gpu_layout import GPUMode
from controller.reconcilers.repartition_plan.operation import lost
from controller.state.plans import reloads
from controller.translate.node_labels import METRICS_EXPORTER_LABEL, PAUSED

LAYOUT_UNKNOWN = "LayoutUnknown"
"""Reason: GPUs are not in the modes they had, or nobody knows."""
GPU_MISSING = "GPUMissing"
"""Reason: GPUs are gone, and all others of the plan are in the modes they had."""


def degraded(node: GPUNode | None, plan: RepartitionPlan) -> tuple[str, str]:
    """Reason of the condition, and what the agent reads with the remedy for it, command by command."""
    name = plan.spec.node
    if node is None:
        return LAYOUT_UNKNOWN, (
            f"Nobody knows the modes of its GPUs now: if the machine is still there, read them "
            f"with `amd-smi list` and `amd-smi partition --current` on {name}; with the label "
            f"aim.amd.com/managed=true on the Node the operator makes the GPUNode again"
        )
    gone = lost(node, plan.spec.from_)
    read = {gpu.bdf: gpu.mode for gpu in node.status.gpus}
    former = [gpu for gpu in plan.spec.from_.gpus if gpu.bdf not in gone]
    wrong = [gpu for gpu in former if read.get(gpu.bdf) != gpu.mode]
    told = [_readings(former, read)] if former else []
    if wrong:
        told.append(_by_hand(name, former if reloads(plan) else wrong, reload=reloads(plan)))
    if gone:
        told.append(
            f"Not there any more: {', '.join(sorted(gone))}. Power {name} off and on; replace the GPU if it stays away."
        )
    told.append(f"`kubectl get gpun {name} -o yaml` shows what the agent reads.")
    return LAYOUT_UNKNOWN if wrong or not gone else GPU_MISSING, " ".join(told)


def _readings(gpus: list[GPUMode], read: dict[str, str | None]) -> str:
    by_mode: dict[str, list[str]] = defaultdict(list)
    for gpu in gpus:
        by_mode[read.get(gpu.bdf) or "no mode"].append(gpu.bdf)
    each = (f"{mode} of {', '.join(bdfs)}" for mode, bdfs in sorted(by_mode.items()))
    return f"The agent reads {'; '.join(each)}."


def _by_hand(name: str, gpus: list[GPUMode], *, reload: bool) -> str:
    """How the former modes are set: nobody may have a GPU open, and a reload takes every GPU back to its first mode."""
    commands = [f"amd-smi set --gpu {gpu.bdf} --compute-partition {gpu.mode.partition('/')[0]}" for gpu in gpus]
    if reload:
        memory = gpus[0].mode.partition("/")[2]
        commands = [f"amd-smi set --memory-partition {memory}", "modprobe -r amdgpu", "modprobe amdgpu", *commands]
    return (
        f"To set the former modes, first free the GPUs: `kubectl drain {name} --ignore-daemonsets "
        f"--delete-emptydir-data`, `kubectl label node {name} {METRICS_EXPORTER_LABEL}={PAUSED} --overwrite` and "
        f"delete the pod of AMD's metrics exporter there; on {name}, as root, end what `amd-smi process` still lists, "
        f"then `{' && '.join(commands)}`. Afterwards `kubectl label node {name} {METRICS_EXPORTER_LABEL}-` and "
        f"`kubectl uncordon {name}`."
    )
