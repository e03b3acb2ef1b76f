"""Version v1beta1 of the six kinds: the hub, and what the API server stores.

A file a kind. In: dicts of the API server, through ``Kind.model_validate``. Out: the same, through
:func:`api.object.dump`.

Example::

    from api.v1beta1 import GPUNode

    node = GPUNode.model_validate({"metadata": {"name": "worker-0"}})
    assert node.spec.managed and not node.status.gpus
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_MODULES = {
    "GPUNode": "gpu_node",
    "GPUPartitionClaim": "gpu_partition_claim",
    "GPUSharingPolicy": "gpu_sharing_policy",
    "InferenceService": "inference_service",
    "ModelProfile": "model_profile",
    "RepartitionPlan": "repartition_plan",
}


def __getattr__(name: str) -> Any:
    """A kind is imported with its first use: an agent needs three of them, and each costs memory."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
