"""What a sizing consists of, as statuses show it: the parts beside weights and KV cache, and how far it may be off.

Weights, KV cache and these parts add up to the total. All are absent in a status that an operator wrote before
there were such fields; the next one that looks fills them in.
"""

from typing import Annotated

from pydantic import Field

from api.formats import ByteCount
from api.object import ApiModel

ActivationBytes = Annotated[
    ByteCount | None,
    Field(
        description="Activations at their peak, in bytes; all of overheadBytes where a ModelProfile gives that figure."
    ),
]
"""What the largest batch needs while it is computed."""

NonTorchBytes = Annotated[
    ByteCount | None,
    Field(description="What driver, runtime and communication libraries take beside the engine's own, in bytes."),
]
"""What no allocator of the engine knows of."""

GraphBytes = Annotated[ByteCount | None, Field(description="Captured graphs, in bytes.")]
"""What the engine records of its kernels' launches."""

LoadingBytes = Annotated[
    ByteCount | None,
    Field(
        description="What loading takes beyond all that is there afterwards, in bytes: above 0 only where the engine "
        "quantizes weights as it loads them, and cache, activations and graphs are smaller than what that needs."
    ),
]
"""0 for weights that are loaded as they are."""

MarginBytes = Annotated[
    ByteCount | None, Field(description="Kept free over the other parts, for what the formulas miss, in bytes.")
]
"""Part of the total."""


class SizingUncertainty(ApiModel):
    """How far the sizing may be off: between which bytes starts like this one were seen to lie."""

    low_bytes: ByteCount = Field(description="The least that such a start may need, in bytes.")
    high_bytes: ByteCount = Field(
        description="The most that such a start may need, in bytes: never less than totalBytes, and above it where "
        "starts of one setup differ by more than the margin."
    )
