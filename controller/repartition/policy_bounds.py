"""A mode change that would help, and whose modes only the node's policy forbids: by which field, and what helps."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from controller.gpu.mode import Mode
from controller.placement.demand import Demand
from controller.placement.snapshot import Node, PolicyView, Snapshot
from controller.repartition.candidates import Candidate, candidates
from controller.repartition.disruption_budget import Refused

#: Changes of GPUs that pods hold are looked into on no more nodes than this: there are many, and one cause is told.
MOST_HELD_NODES: Final = 8


def ruled_out(
    snapshot: Snapshot, demand: Demand, nodes: Sequence[Node], admin_held: frozenset[tuple[str, str]]
) -> Refused | None:
    """Why policies' modes leave the claim no change of the nodes; None where they are not what forbids it.

    They are where a policy without them had a change of idle GPUs, or one of GPUs that pods hold and there is none now:
    what else is in its way is told once they are not. The cheapest such change of the first such node is named.
    """

    def best(node: Node, *, evicting: bool) -> Candidate | None:
        return min(candidates(snapshot, demand, node, admin_held, evicting=evicting), key=Candidate.cost, default=None)

    for policy, unbounded in _unbounded(nodes):
        idle = best(unbounded, evicting=False)
        if idle is not None:
            return _told(idle, policy)
    looked_at = nodes[:MOST_HELD_NODES]
    if any(best(node, evicting=True) is not None for node in looked_at):
        return None
    for policy, unbounded in _unbounded(looked_at):
        held = best(unbounded, evicting=True)
        if held is not None:
            return _told(held, policy)
    return None


def _unbounded(nodes: Iterable[Node]) -> Iterator[tuple[PolicyView, Node]]:
    """The policy of each node that bounds the modes, and the node with one that does not."""
    for node in nodes:
        policy = node.policy
        if policy is not None and (policy.modes or policy.validated_only):
            yield policy, replace(node, policy=replace(policy, modes=frozenset(), validated_only=False))


def _told(candidate: Candidate, policy: PolicyView) -> Refused:
    left_out = sorted({str(mode) for _, mode in _changed(candidate) if policy.modes and mode not in policy.modes})
    untested = sorted({f"{mode} for {product}" for product, mode in _untested(candidate, policy)})
    bars, remedies = [], []
    if left_out:
        bars.append(f"its allowedModes leave out {', '.join(left_out)}")
        remedies.append(f"add {', '.join(left_out)} to its spec.allowedModes")
    if untested:
        bars.append(f"its validatedOnly is true and AMD has not validated {', '.join(untested)}")
        remedies.append("set its spec.validatedOnly to false")
    fact = f"policy {policy.name} forbids the change of node {candidate.node.name} to {candidate.mode} that would help"
    reason = "ModeNotAllowed" if left_out else "ModeNotValidated"
    return Refused(reason, f"{fact}: {' and '.join(bars)}; {' and '.join(remedies)}")


def _changed(candidate: Candidate) -> Iterator[tuple[str, Mode]]:
    return ((gpu.product, mode) for gpu, mode in candidate.touched if mode != gpu.mode)


def _untested(candidate: Candidate, policy: PolicyView) -> Iterator[tuple[str, Mode]]:
    if policy.validated_only:
        for gpu, mode in candidate.touched:
            if mode != gpu.mode and mode not in gpu.validated:
                yield gpu.product, mode
