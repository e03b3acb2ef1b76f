"""How long a step of a batch takes: by what it reads of memory and what it computes. Pure.

A roofline, the usual first estimate: decoding reads all weights once a step, prefilling computes two operations a
parameter and token. What a GPU reaches of its data sheet is an assumption (`EFFICIENCY`), not a measurement: nothing
here was timed on a GPU.
"""

from dataclasses import dataclass
from typing import Final

# AMD's data sheet of MI300X: 304 compute units, 5.3 TB/s, 1,307 TFLOPS of dense 16-bit matrix operations.
UNITS: Final = 304
BYTES_A_SECOND_AND_UNIT: Final = 5.3e12 / UNITS
OPERATIONS_A_SECOND_AND_UNIT: Final = 1.307e15 / UNITS
EFFICIENCY: Final = 0.5
STEP_FLOOR_SECONDS: Final = 0.004
"""What a step costs however small the model is: an engine's own work between two steps."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds of a step: `floor` whatever it does, `read` for reading the weights, `prefill` a prompt's token, and
    `decode` a sequence that gets a token.
    """

    floor: float = 0.0
    read: float = 0.0
    prefill: float = 0.0
    decode: float = 0.0

    def step(self, prefill_tokens: int, decoding: int, readers: int = 1) -> float:
        """Seconds of one step. `readers`: engines that read this partition's memory now, each at its even part."""
        return self.floor + self.read * readers + self.prefill * prefill_tokens + self.decode * decoding


INSTANT: Final = Speed()
"""No time at all: for tests of what happens, not of when."""


def roofline(
    weights_bytes: int, parameters: int, compute_units: int, partition_units: int, *, time_scale: float = 1.0
) -> Speed:
    """The speed of an engine that has `compute_units` of a partition's `partition_units`, whose memory it may read at
    the whole partition's rate. `time_scale` multiplies all of it: 0.1 is ten times as fast.

    Raises ValueError for a partition without compute units, or a share that is larger than it.
    """
    if not 0 < compute_units <= partition_units:
        raise ValueError(f"computeUnits {compute_units} of {partition_units}: give 1 to all of the partition's")
    compute = compute_units * OPERATIONS_A_SECOND_AND_UNIT * EFFICIENCY
    token = 2 * parameters / compute * time_scale
    return Speed(
        floor=STEP_FLOOR_SECONDS * time_scale,
        read=weights_bytes / (partition_units * BYTES_A_SECOND_AND_UNIT * EFFICIENCY) * time_scale,
        prefill=token,
        decode=token,
    )
