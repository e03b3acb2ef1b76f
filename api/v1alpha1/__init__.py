"""Version v1alpha1 of two kinds: flat, for those who say little.

Everything of it has a place in the hub version v1beta1, which is what the API server stores; ``api.conversion``
knows the places. In: dicts of the API server, through ``Kind.model_validate``. Out: the same, through
:func:`api.object.dump`.

Example::

    from api.v1alpha1 import InferenceService

    service = InferenceService.model_validate({"spec": {"modelId": "Qwen/Qwen3-8B", "memoryGB": "24"}})
    assert service.spec.min_instances == 1
"""

from api.v1alpha1.gpu_sharing_policy import GPUSharingPolicy
from api.v1alpha1.inference_service import InferenceService

__all__ = ["GPUSharingPolicy", "InferenceService"]
