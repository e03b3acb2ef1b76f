"""What a pod was let go for that fits nowhere, so that a cluster autoscaler sees it."""

from pydantic import Field

from api.formats import ByteCount, ReportedMode, ShortText, Timestamp
from api.object import ApiModel


class ReleasedFor(ApiModel):
    """The kind of partition that the pod waits for at the scheduler, on no node in particular."""

    product: ShortText = Field(description="Product of the GPU, e.g. MI300X.")
    mode: ReportedMode = Field(description="Mode of the GPU, e.g. CPX/NPS4.")
    bytes: ByteCount = Field(description="Memory of each of its partitions in bytes.")
    profile: ShortText | None = Field(
        default=None, description="AIM profile with which the engine starts there; absent where there is none."
    )
    since: Timestamp = Field(description="When the pod was let go.")
