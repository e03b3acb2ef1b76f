"""Version v1beta1 of the six kinds: the hub, and what the API server stores.

A file a kind. In: dicts of the API server, through ``Kind.model_validate``. Out: the same, through
:func:`api.object.dump`.

Example::

    from api.v1beta1 import GPUNode

    node = GPUNode.model_validate({"metadata": {"name": "worker-0"}})
    assert node.spec.managed and not node.status.gpus
"""

from api.v1beta1.gpu_node import GPUNode
from api.v1beta1.gpu_partition_claim import GPUPartitionClaim
from api.v1beta1.gpu_sharing_policy import GPUSharingPolicy
from api.v1beta1.inference_service import InferenceService
from api.v1beta1.model_profile import ModelProfile
from api.v1beta1.repartition_plan import RepartitionPlan

__all__ = [
    "GPUNode",
    "GPUPartitionClaim",
    "GPUSharingPolicy",
    "InferenceService",
    "ModelProfile",
    "RepartitionPlan",
]
