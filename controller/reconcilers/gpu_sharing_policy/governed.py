"""What each policy governs: nodes, the claims on them, the memory of their partitions; and what it lost. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from api.v1beta1 import GPUPartitionClaim, GPUSharingPolicy
from controller.state.occupancy import HOLDING
from controller.translate.policy import policy_for


@dataclass(slots=True)
class Governed:
    """Of one policy. `lost`: nodes that it selects and an older policy governs, with that one's name."""

    nodes: int = 0
    claims: int = 0
    used_bytes: int = 0
    lost: dict[str, str] = field(default_factory=dict)


def governed(
    policies: Iterable[GPUSharingPolicy],
    labels_by_node: Mapping[str, Mapping[str, str]],
    claims: Iterable[GPUPartitionClaim],
) -> dict[str, Governed]:
    """By the policy's name."""
    known = list(policies)
    found = {policy.metadata.name: Governed() for policy in known}
    ruling: dict[str, Governed] = {}
    for node, labels in labels_by_node.items():
        selecting = [policy for policy in known if policy.spec.node_selector.matches(labels)]
        winner = policy_for(labels, selecting)
        if winner is None:
            continue
        ruling[node] = found[winner.metadata.name]
        ruling[node].nodes += 1
        for loser in selecting:
            if loser is not winner:
                found[loser.metadata.name].lost[node] = winner.metadata.name
    for claim in claims:
        allocation = claim.status.allocation
        if allocation is not None and claim.status.phase in HOLDING and allocation.node in ruling:
            ruling[allocation.node].claims += 1
            ruling[allocation.node].used_bytes += sum(device.bytes for device in allocation.devices)
    return found
