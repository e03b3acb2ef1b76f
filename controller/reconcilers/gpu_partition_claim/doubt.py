"""An assumption whose write was refused, or cut short: the stored claim says whether it counts."""

from api.v1beta1 import GPUPartitionClaim
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.runtime.client.errors import NotFound
from controller.state.kinds import GPU_PARTITION_CLAIMS


async def settle(context: ClaimContext, key: str, claim: GPUPartitionClaim) -> None:
    """Drop what is assumed for a claim unless the stored claim shows that very partition; then its event is under way.

    Raises ApiError when the API server does not answer: the partition stays assumed, and the question open.
    """
    assumed = context.cluster.assumptions.get(key)
    if assumed is None:
        return
    try:
        live = await context.client.get(GPU_PARTITION_CLAIMS, claim.metadata.name, claim.metadata.namespace)
    except NotFound:
        context.cycle.withdraw(key)
        return
    if not assumed.shown_by(GPUPartitionClaim.model_validate(live)):
        context.cluster.assumptions.forget(key)
