"""A GPU partition as a claim sees it."""

from pydantic import Field

from api.formats import BdfText, ByteCount, DeviceName, ReportedMode, ShortText
from api.object import ApiModel


class Device(ApiModel):
    """One partition of one GPU."""

    device: DeviceName | None = Field(default=None, description="Name of the device in its ResourceSlice.")
    pool: ShortText | None = Field(default=None, description="Pool of the ResourceSlice, usually the node's name.")
    render_index: int | None = Field(
        default=None, ge=0, le=4095, description="Minor number of the render node, e.g. 128 for renderD128."
    )
    bdf: BdfText = Field(description="PCI address of the GPU, dddd:bb:dd.0.")
    partition: int = Field(ge=0, le=63, description="Number of the partition within its GPU, from 0.")
    mode: ReportedMode = Field(description="Mode of the GPU when the partition was chosen, e.g. CPX/NPS4.")
    bytes: ByteCount = Field(description="Memory of the partition in bytes.")
