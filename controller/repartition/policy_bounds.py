"""A mode change that would help, and whose modes only the node's policy forbids: by which field, and what helps."""

from collections.abc import Iterator
from dataclasses import replace

from controller.gpu.mode import Mode
from controller.placement.demand import Demand
from controller.placement.snapshot import Node, PolicyView, Snapshot
from controller.repartition.candidates import Candidate, candidates
from controller.repartition.disruption_budget import Refused


def ruled_out(snapshot: Snapshot, demand: Demand, node: Node, admin_held: frozenset[tuple[str, str]]) -> Refused | None:
    """Why the policy's modes leave the claim no change of the node; None where they are not what forbids it.

    They are where a policy without them had a change of idle GPUs, or one of GPUs that pods hold and this one has none:
    what else is in its way is told once they are not. The cheapest such change is named.
    """
    policy = node.policy
    if policy is None or not (policy.modes or policy.validated_only):
        return None
    unbounded = replace(node, policy=replace(policy, modes=frozenset(), validated_only=False))
    found = candidates(snapshot, demand, unbounded, admin_held, evicting=True)
    best = min(found, key=Candidate.cost, default=None)
    if best is None:
        return None
    if best.held and any(True for _ in candidates(snapshot, demand, node, admin_held, evicting=True)):
        return None
    return _told(best, policy)


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
