"""The CEL rules of the hub once more, in Python, for objects that come from elsewhere than the API server.

In: a hub object that pydantic has read, so that types, enums, patterns and bounds of single fields already hold.
Out: every rule between fields, or about the meaning of one, that it breaks. The rules themselves stand beside the
fields in :mod:`api.v1beta1`; a table of bad objects holds the two against each other.

Example::

    from api.v1beta1 import InferenceService
    from api.validation import problems

    service = InferenceService.model_validate(
        {"metadata": {"name": "chat"}, "spec": {"model": {"id": "a/b"}, "replicas": 3, "maxReplicas": 2}}
    )
    assert [problem.path for problem in problems(service)] == ["spec.replicas"]
"""

from api.v1beta1 import GPUSharingPolicy, InferenceService, ModelProfile
from api.validation.field_error import FieldError
from api.validation.gpu_sharing_policy import policy_problems
from api.validation.inference_service import service_problems
from api.validation.model_profile import profile_problems

__all__ = ["FieldError", "problems"]


def problems(obj: InferenceService | GPUSharingPolicy | ModelProfile) -> list[FieldError]:
    """Every rule that the object breaks, in the order of its fields; empty when there is none."""
    match obj:
        case InferenceService():
            return service_problems(obj)
        case GPUSharingPolicy():
            return policy_problems(obj)
        case ModelProfile():
            return profile_problems(obj)
