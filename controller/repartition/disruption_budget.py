"""May a mode change run now? Checks in order, each a CamelCase reason and a sentence, or nothing.

The planner asks before it proposes a change and the plan again when it begins: what has been used up meanwhile counts.
"""

from collections.abc import Collection
from dataclasses import dataclass

from controller.placement.filters import only_reported, pause
from controller.placement.snapshot import Node, PolicyView
from controller.repartition.device_config_manager import dcm_managed, is_partitioned_elsewhere


@dataclass(frozen=True, slots=True)
class Refused:
    """Why no change may run on a node now."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What changes use up across the cluster at this moment.

    `active_nodes` have a change under way, but for the plan that is asked about. `unavailable_pods` were evicted for
    changes, or will be at once, and their successors have no place yet.
    """

    active_nodes: Collection[str] = ()
    unavailable_pods: int = 0


NOTHING_USED = Usage()


def refuse_change(node: Node, namespace: str | None, usage: Usage, *, evicts: int = 0) -> Refused | None:
    """The first rule that forbids a change on `node` now.

    `namespace` is that of the claim the change is for, None when it is for none; `evicts` counts the pods in its way.
    """
    policy = node.policy
    if policy is None or not policy.repartition:
        remedy = f"set spec.repartition.enabled of policy {policy.name} to true" if policy else "make one that does"
        return Refused("RepartitionDisabled", f"no policy with repartition.enabled selects node {node.name}; {remedy}")
    return (
        _off_limits(node, policy, namespace)
        or _crowded(node, policy, usage)
        or _too_many_down(policy, usage, evicts)
        or _not_yet(node, policy)
    )


def budget_left(policy: PolicyView, usage: Usage) -> int:
    """How many more pods may be evicted for changes now."""
    return max(0, policy.max_unavailable_pods - usage.unavailable_pods)


def _off_limits(node: Node, policy: PolicyView, namespace: str | None) -> Refused | None:
    if node.reads_only:
        return Refused("ReadOnlyBackend", only_reported(node))
    paused = pause(node)
    if paused is not None:
        return Refused("Paused", paused)
    if dcm_managed(node.labels) and not policy.ignore_device_config_manager:
        return Refused(
            "DeviceConfigManager",
            f"{is_partitioned_elsewhere(node.name, node.labels)} in policy {policy.name}",
        )
    if namespace is not None and not policy.admits(namespace):
        return Refused("PolicyMismatch", f"policy {policy.name} does not select namespace {namespace}")
    return None


def _crowded(node: Node, policy: PolicyView, usage: Usage) -> Refused | None:
    if node.name in usage.active_nodes:
        return Refused("RepartitionRunning", f"node {node.name} has a mode change under way")
    active = len(set(usage.active_nodes))
    if active >= policy.max_parallel_nodes:
        return Refused(
            "RepartitionBudget",
            f"{active} of repartition.maxParallelNodes {policy.max_parallel_nodes} nodes are changing",
        )
    return None


def _too_many_down(policy: PolicyView, usage: Usage, evicts: int) -> Refused | None:
    if evicts == 0 or budget_left(policy, usage) > 0:
        return None
    return Refused(
        "UnavailablePodsBudget",
        f"{usage.unavailable_pods} of repartition.maxUnavailablePods {policy.max_unavailable_pods} pods are down for "
        f"changes, and {evicts} more would have to move",
    )


def _not_yet(node: Node, policy: PolicyView) -> Refused | None:
    if policy.cooldown_left > 0:
        return Refused(
            "Cooldown",
            f"node {node.name} changed lately; next change {policy.rest}; for a sooner one shorten "
            f"spec.repartition.cooldown of policy {policy.name}",
        )
    if not policy.in_window:
        return Refused(
            "OutsideWindow",
            f"policy {policy.name}: {policy.window_opens}; for a sooner change add one to its spec.repartition.windows",
        )
    return None
