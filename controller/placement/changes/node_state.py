"""Changes of a node's state: unpaused, uncordoned, repaired, out of quarantine, more CPU or memory, a wider policy.

Nothing is counted but where said; so nodes are taken by name.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from controller.placement.changes.change import Change, Kind, with_gpus, with_partitions
from controller.placement.changes.look import Look
from controller.placement.changes.modes import in_mode
from controller.placement.demand import Demand, Resources
from controller.placement.filters import HOSTNAME_LABEL, tolerates
from controller.placement.size_text import gib
from controller.placement.snapshot import Gpu, Node, Partition, PolicyView, Taint

REFUSING: Final = ("NoSchedule", "NoExecute")
_OURS: Final = "aim.amd.com/"
_KUBERNETES: Final = "node.kubernetes.io/"


def untolerated(node: Node, demand: Demand) -> tuple[Taint, ...]:
    """The taints of the node that keep the pod off."""
    return tuple(
        taint
        for taint in node.taints
        if taint.effect in REFUSING and not any(tolerates(each, taint) for each in demand.pod.tolerations)
    )


def is_passing(taint: Taint) -> bool:
    """Whether the taint tells of a state that ends by itself or by a repair: to tolerate it would be wrong."""
    return taint.key.startswith((_OURS, _KUBERNETES))


def unpause(look: Look) -> Iterator[Change]:
    """The GPUNode, or the policy that rules it, goes on."""
    node = look.node
    if node.paused:
        text = f"set spec.paused of GPUNode {node.name} to false"
        yield Change(
            Kind.UNPAUSE, f"node {node.name}", text, node=node.name, on_node=lambda it: replace(it, paused=False)
        )
    policy = node.policy
    if policy is not None and policy.paused:
        text = f"set spec.paused of policy {policy.name} to false"
        yield Change(Kind.UNPAUSE, f"policy {policy.name}", text, node=node.name, on_node=_policy_unpaused)


def _policy_unpaused(node: Node) -> Node:
    return node if node.policy is None else replace(node, policy=replace(node.policy, paused=False))


def uncordon(look: Look) -> Iterator[Change]:
    """The node takes pods again."""
    name = look.node.name

    def on_node(node: Node) -> Node:
        return replace(node, unschedulable=False)

    yield Change(Kind.UNCORDON, f"node {name}", f"kubectl uncordon {name}", node=name, on_node=on_node)


def _addressable(node: Node) -> Node:
    return replace(node, hostname=node.name, labels={**node.labels, HOSTNAME_LABEL: node.name})


def _untainted(node: Node) -> Node:
    kept = (taint for taint in node.taints if not (taint.effect in REFUSING and is_passing(taint)))
    return replace(node, taints=tuple(kept))


_REPAIRS: Final[Mapping[str, tuple[str, Callable[[Node], Node]]]] = MappingProxyType(
    {
        "agent": ("the agent of node {} has to run again", lambda node: replace(node, fresh=True)),
        "kubelet": ("node {} has to become Ready", lambda node: replace(node, ready=True)),
        "hostname": (f"label node {{}} with {HOSTNAME_LABEL}", _addressable),
        "plugin pods": ("pods of others on node {} that took GPUs past ResourceClaims have to go",
                        lambda node: replace(node, plugin_pods=0)),
        "taint": ("the state that node {} is tainted for has to end", _untainted),
    }
)  # fmt: skip


def repair(what: str) -> Callable[[Look], Iterator[Change]]:
    """The generator of one repair: a row of the table above."""
    text, on_node = _REPAIRS[what]

    def generator(look: Look) -> Iterator[Change]:
        name = look.node.name
        yield Change(Kind.NODE_REPAIR, f"{what} of node {name}", text.format(name), node=name, on_node=on_node)

    return generator


def release(look: Look) -> Iterator[Change]:
    """A partition comes out of quarantine: of a GPU's that nobody holds, alike in all else, the first."""
    for gpu in look.node.gpus:
        held_back: dict[object, Partition] = {}
        for each in gpu.partitions:
            if each.quarantined and each.holder is None:
                held_back.setdefault((each.bytes, each.healthy, each.reservation, each.resource), each)
        for partition in held_back.values():
            where = f"{look.node.name} {gpu.bdf}/{partition.id.index}"
            text = (
                f"remove the entry of {gpu.bdf}/{partition.id.index} from spec.quarantine of GPUNode {look.node.name}"
            )
            changed = _released(partition)
            yield Change(Kind.QUARANTINE, where, text, node=look.node.name, on_node=changed)


def _released(chosen: Partition) -> Callable[[Node], Node]:
    def one(partition: Partition) -> Partition:
        return replace(partition, quarantined=False) if partition.id == chosen.id else partition

    def gpu(whole: Gpu) -> Gpu:
        return with_partitions(whole, one)

    return lambda node: with_gpus(node, gpu)


def more_resources(look: Look) -> Iterator[Change]:
    """CPU, memory or pod slots that the node lacks. Counted: missing cores in thousandths, then missing bytes."""
    node, want = look.node, look.demand.pod.resources
    left = node.allocatable.minus(node.used)
    missing = Resources(
        max(0, want.cpu_milli - left.cpu_milli) if want.cpu_milli else 0,
        max(0, want.memory_bytes - left.memory_bytes) if want.memory_bytes else 0,
        max(0, want.pods - left.pods),
    )
    if missing == Resources():
        return
    said = [
        *([f"{missing.cpu_milli}m CPU"] if missing.cpu_milli else ()),
        *([f"{gib(missing.memory_bytes)} memory"] if missing.memory_bytes else ()),
        *([f"{missing.pods} pod slots"] if missing.pods else ()),
    ]
    yield Change(
        Kind.NODE_RESOURCES,
        f"node {node.name}",
        f"node {node.name} needs {' and '.join(said)} more that is free",
        (missing.cpu_milli, missing.memory_bytes, missing.pods),
        node=node.name,
        on_node=lambda it: replace(it, allocatable=it.allocatable.plus(missing)),
    )


def allow_mode(look: Look) -> Iterator[Change]:
    """The policy allows the modes that GPUs are in. Counted: the modes that it allows more."""
    node = look.node
    policy = node.policy
    if policy is None or not policy.modes:
        return
    for mode in sorted({gpu.mode for gpu in node.gpus} - policy.modes, key=str):
        text = f"allow mode {mode} in spec.allowedModes of policy {policy.name}"
        wider = _with_policy(replace(policy, modes=policy.modes | {mode}))
        target = f"policy {policy.name} {mode}"
        yield Change(Kind.POLICY, target, text, (1,), node=node.name, permitted=False, on_node=wider)


def _with_policy(policy: PolicyView) -> Callable[[Node], Node]:
    return lambda node: replace(node, policy=policy)


def admit_namespace(look: Look) -> Iterator[Change]:
    """The node's policy selects the namespace. Its name may be another tenant's, and is not told."""
    node, namespace = look.node, look.demand.namespace
    policy = node.policy
    if policy is None or policy.namespaces is None or namespace in policy.namespaces:
        return
    wider = _with_policy(replace(policy, namespaces=policy.namespaces | {namespace}))
    text = f"the policy of node {node.name} has to select namespace {namespace}"
    target = f"policy of node {node.name}"
    yield Change(Kind.POLICY, target, text, (0,), node=node.name, permitted=False, on_node=wider)


def wait_for_plan(look: Look) -> Iterator[Change]:
    """The plan that has GPUs of the node in hand ends; its modes are those that it leads to, where that is known."""
    node = look.node
    plans = sorted({gpu.plan for gpu in node.gpus if gpu.plan})
    if not plans:
        return
    after = look.around.after_plan(node.name)

    def done(gpu: Gpu) -> Gpu:
        ended = replace(gpu, plan=None)
        return in_mode(node, ended, after[gpu.bdf]) or ended if gpu.plan and gpu.bdf in after else ended

    def on_node(it: Node) -> Node:
        return _untainted(with_gpus(it, done))

    text = f"wait for plan {', '.join(plans)}, which is under way on node {node.name}"
    yield Change(Kind.WAIT_FOR_PLAN, f"node {node.name}", text, node=node.name, on_node=on_node)
