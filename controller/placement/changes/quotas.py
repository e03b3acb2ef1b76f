"""A larger max of the claim's own namespace in the policy that rules a node.

Counted: the bytes that the max lacks. Other namespaces' quotas are no matter of the asker, and stay as they are.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from controller.placement.changes.change import Change, Kind
from controller.placement.changes.look import Look
from controller.placement.snapshot import Node, PolicyView

_MIB: Final = 1 << 20
_GIB: Final = 1 << 30


def raise_max(look: Look) -> Iterator[Change]:
    """The least max, in whole MiB, with which the node has a place for the demand."""
    policy, demand = look.node.policy, look.demand
    most = policy.quota(demand.namespace).most if policy is not None else None
    if policy is None or most is None:
        return
    for size in sorted(look.node.partition_sizes):
        needed = -(-(look.quota_used + size * demand.requirement.count) // _MIB) * _MIB
        if size < demand.requirement.bytes or needed <= most:
            continue
        wider = raised(policy, demand.namespace, needed)
        if look.fits(replace(look.node, policy=wider)):
            yield _change(wider, demand.namespace, most, needed)
            return


def raised(policy: PolicyView, namespace: str, most: int) -> PolicyView:
    """The policy with that max of the namespace, bytes."""
    quota = replace(policy.quota(namespace), most=most)
    return replace(policy, quotas={**policy.quotas, namespace: quota})


def _change(wider: PolicyView, namespace: str, before: int, needed: int) -> Change:
    field = f"max of namespace {namespace} in spec.quotas of policy {wider.name}"
    return Change(
        kind=Kind.QUOTA,
        target=f"policy {wider.name} max {needed}",
        text=f"raise the {field} from {amount(before)} to {amount(needed)}",
        counted=(needed - before,),
        policy=wider.name,
        permitted=False,
        on_node=_ruled_by(wider),
    )


def _ruled_by(wider: PolicyView) -> Callable[[Node], Node]:
    """Nodes differ in what their policy says of the moment, so only its quotas are taken over."""

    def on_node(node: Node) -> Node:
        if node.policy is None or node.policy.name != wider.name:
            return node
        return replace(node, policy=replace(node.policy, quotas=wider.quotas))

    return on_node


def amount(size: int) -> str:
    """Bytes as a quantity of Kubernetes, exactly: in Gi or Mi where they are whole ones."""
    if size % _GIB == 0:
        return f"{size // _GIB}Gi"
    return f"{size // _MIB}Mi" if size % _MIB == 0 else str(size)
