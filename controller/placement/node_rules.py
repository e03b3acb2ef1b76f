"""What a pod requires of a node by itself: its taints, its labels. Kubernetes' rules, for the one node that we pin."""

import re

from controller.placement.demand import Demand, Toleration
from controller.placement.expression import Expression, value_matches
from controller.placement.snapshot import Node, Snapshot, Taint

HOSTNAME_LABEL = "kubernetes.io/hostname"


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Kubernetes' rule for one toleration against one taint."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    return bool(toleration.key) and toleration.value == taint.value


def taints_tolerated(_: Snapshot, demand: Demand, node: Node) -> str | None:
    """Every NoSchedule and NoExecute taint must be tolerated."""
    for taint in node.taints:
        if taint.effect not in ("NoSchedule", "NoExecute"):
            continue
        if not any(tolerates(toleration, taint) for toleration in demand.pod.tolerations):
            return f"node {node.name} has taint {taint.key}={taint.value}:{taint.effect}; add a toleration"
    return None


def selector_matches(_: Snapshot, demand: Demand, node: Node) -> str | None:
    """The pod's nodeSelector must match the node's labels."""
    for key, value in demand.pod.node_selector:
        if node.labels.get(key) != value:
            return f"node {node.name} has not the pod's nodeSelector {key}={value}"
    return None


#: A whole number as Kubernetes reads it: Python's int() would also take underscores and spaces.
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,19}")


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None and _WHOLE_NUMBER.fullmatch(text) else None


def expression_matches(expression: Expression, node: Node) -> bool:
    """Kubernetes' rule for one node selector requirement."""
    actual = node.name if expression.on_field else node.labels.get(expression.key)
    found = value_matches(expression, actual)
    if found is not None:
        return found
    match expression.operator:
        case "Gt" | "Lt":
            left, right = _integer(actual), _integer(expression.values[0] if expression.values else None)
            if left is None or right is None:
                return False
            return left > right if expression.operator == "Gt" else left < right
        case _:
            raise ValueError(f"node affinity operator {expression.operator!r} is none of Kubernetes' six")


def affinity_matches(_: Snapshot, demand: Demand, node: Node) -> str | None:
    """One term of the required node affinity must match whole."""
    terms = demand.pod.affinity
    if not terms:
        return None
    for term in terms:
        if term and all(expression_matches(expression, node) for expression in term):
            return None
    return f"node {node.name} matches no term of the pod's required node affinity"
