"""The fixed share that one member of a share group has of the group's partition."""

from typing import Annotated

from pydantic import Field, StringConstraints

from api.formats import ByteCount
from api.markers import Remedy
from api.object import ApiModel
from api.v1beta1.references import PodReference

UnitsText = Annotated[
    str,
    StringConstraints(max_length=1024, pattern=r"^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$"),
    Remedy("is no list of compute units: write numbers and ranges with commas between, such as 0-12,20-24"),
]
"""Ranges of compute units, such as 0-12,20-24."""


class MemberShare(ApiModel):
    """What one pod has of the partition, from when it is bound until it is gone."""

    pod: PodReference = Field(description="The pod that has the share.")
    bytes: ByteCount = Field(description="Memory of the share in bytes: what the pod's model was sized at.")
    compute_units: UnitsText | None = Field(
        default=None,
        description="Compute units of the share by their numbers within the partition, e.g. 0-12; absent where those "
        "of the partition are not known.",
    )
