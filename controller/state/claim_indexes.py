"""Indexes of GPUPartitionClaims: by namespace, and by the node that one has a place on."""

from controller.runtime.manifest import Manifest


def claim_namespace(claim: Manifest) -> tuple[str]:
    """The namespace of a stored claim."""
    return (claim["metadata"]["namespace"],)


def claim_node(claim: Manifest) -> tuple[str, ...]:
    """The node of the claim's allocation, none while there is none."""
    allocation = (claim.get("status") or {}).get("allocation")
    return (allocation["node"],) if allocation else ()
