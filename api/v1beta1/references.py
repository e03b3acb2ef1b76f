"""References to other objects, always by what identifies them for good."""

from pydantic import Field

from api.formats import LabelName, ObjectName, UidText
from api.object import ApiModel


class PodReference(ApiModel):
    """A pod of the object's own namespace."""

    name: ObjectName = Field(description="Name of the pod.")
    uid: UidText = Field(description="UID of the pod; a successor of the same name is another pod.")


class NamespacedName(ApiModel):
    """An object of some namespace, by name."""

    namespace: LabelName = Field(description="Namespace of the object.")
    name: ObjectName = Field(description="Name of the object.")


class ClaimReference(NamespacedName):
    """A GPUPartitionClaim."""

    uid: UidText = Field(description="UID of the claim.")
