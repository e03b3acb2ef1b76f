"""Changes of the pod's own template: tolerations, node selector, node affinity, the mode and the policy it asks for.

Counted are the entries that change.
"""

from collections.abc import Iterator
from dataclasses import replace

from controller.placement.changes.change import Change, Kind, listed
from controller.placement.changes.look import Look
from controller.placement.changes.node_state import is_passing, untolerated
from controller.placement.demand import Demand, Toleration
from controller.placement.peers import NO_RULES, PodRules


def tolerate(look: Look) -> Iterator[Change]:
    """Tolerations for all taints of the node that are there for good."""
    taints = untolerated(look.node, look.demand)
    if not taints or any(map(is_passing, taints)):
        return
    more = tuple(Toleration(taint.key, "Equal", taint.value, taint.effect) for taint in taints)

    def on_demand(demand: Demand) -> Demand:
        return replace(demand, pod=replace(demand.pod, tolerations=(*demand.pod.tolerations, *more)))

    named = listed(f"{taint.key}={taint.value}:{taint.effect}" for taint in taints)
    text = f"add to the pod a toleration of {named}"
    yield Change(Kind.TOLERATION, f"tolerations for {look.node.name}", text, (len(taints),), on_demand=on_demand)


def other_selector(look: Look) -> Iterator[Change]:
    """A nodeSelector without what the node has not."""
    wrong = tuple(pair for pair in look.demand.pod.node_selector if look.node.labels.get(pair[0]) != pair[1])

    def on_demand(demand: Demand) -> Demand:
        kept = tuple(pair for pair in demand.pod.node_selector if pair not in wrong)
        return replace(demand, pod=replace(demand.pod, node_selector=kept))

    named = listed(f"{key}={value}" for key, value in wrong)
    text = f"take {named} out of the pod's nodeSelector"
    yield Change(Kind.NODE_SELECTOR, f"nodeSelector {named}", text, (len(wrong),), on_demand=on_demand)


def other_affinity(look: Look) -> Iterator[Change]:
    """A node affinity that the node matches; the simplest is none."""

    def on_demand(demand: Demand) -> Demand:
        return replace(demand, pod=replace(demand.pod, affinity=()))

    text = f"let the pod's required node affinity match, e.g. node {look.node.name}"
    count = sum(map(len, look.demand.pod.affinity))
    yield Change(Kind.NODE_AFFINITY, "node affinity", text, (count,), on_demand=on_demand)


def loosen(look: Look) -> Iterator[Change]:
    """A pod that only prefers what it requires of the pods around it, and takes no port of the host."""
    rules = look.demand.rules or NO_RULES
    named = {
        "podAntiAffinity": rules.repels,
        "podAffinity": rules.attracts,
        "topologySpreadConstraints": rules.spreads,
        "hostPort": rules.ports,
    }
    required = [name for name, found in named.items() if found]
    if not required:
        return

    def on_demand(demand: Demand) -> Demand:
        return replace(demand, rules=PodRules((demand.rules or NO_RULES).labels))

    text = f"let the pod only prefer its {listed(required, len(required))}, or leave it out"
    count = sum(map(len, named.values()))
    yield Change(Kind.POD_RULES, f"rules of the pod for {listed(required)}", text, (count,), on_demand=on_demand)


def any_mode(look: Look) -> Iterator[Change]:
    """A pod that asks for a mode asks for any."""
    if not look.demand.requirement.modes:
        return

    def on_demand(demand: Demand) -> Demand:
        return replace(demand, requirement=replace(demand.requirement, modes=frozenset()))

    field = "spec.gpuSharing.partition.mode" if look.demand.of_service else "annotation aim.amd.com/partition-mode"
    asked = " or ".join(sorted(map(str, look.demand.requirement.modes)))
    yield Change(Kind.PARTITION_MODE, field, f"leave out {field} ({asked})", (1,), on_demand=on_demand)


def any_policy(look: Look) -> Iterator[Change]:
    """A pod that asks for a policy's nodes asks for none's."""
    if look.demand.policy is None:
        return

    def on_demand(demand: Demand) -> Demand:
        return replace(demand, policy=None)

    field = "spec.gpuSharing.policyRef" if look.demand.of_service else "annotation aim.amd.com/policy"
    yield Change(Kind.POLICY_REF, field, f"leave out {field} ({look.demand.policy})", (1,), on_demand=on_demand)
