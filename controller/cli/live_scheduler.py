"""What decides on a copy of a cluster: the operator's scheduler, as one has it that begins at this moment."""

from controller.placement.scheduler import ModelScheduler
from controller.state.cluster import Cluster
from controller.state.expected import known_claims


def scheduler_of(cluster: Cluster) -> ModelScheduler:
    """A scheduler by the policies in force, which expects what the claims that are there lead to expect."""
    scheduler = ModelScheduler.by_policy()
    scheduler.expect(known_claims(cluster.claim_table, cluster.pod_table))
    return scheduler
