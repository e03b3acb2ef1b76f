"""GPUs that are given a mode as pods come: an idle one takes any, afterwards it has partitions of one size.

MI300X's compute modes: one partition of a whole GPU (SPX), two of a half (DPX), four (QPX), eight (CPX). All of them
are there under the memory mode NPS1, which is the node's: a node in NPS1 may have every one side by side.

A GPU is written as one number, as a piece is elsewhere: the thousandths that are free, plus the place of its mode in
MODES once it has one. So 502 is a GPU in QPX with two partitions free. The sums that scorers make of such numbers are
off by three thousandths at most.
"""

from dataclasses import replace
from typing import Final

from controller.placement.packing.host import WHOLE, Ask

#: Partitions of a GPU by mode: SPX, DPX, QPX, CPX.
MODES: Final = (1, 2, 4, 8)
_EIGHTH: Final = WHOLE // 8


def rounded(ask: Ask) -> Ask:
    """With each piece as large as the smallest partition that holds it."""
    if not ask.count:
        return ask
    return replace(ask, milli=WHOLE // max(number for number in MODES if WHOLE // number >= ask.milli))


def mode_left(milli: int, size: int) -> int:
    """What is left of a GPU, as it is written, when one partition for so much is given away; below 0 if it has none."""
    if size == WHOLE:
        mode = MODES.index(WHOLE // milli)
        return WHOLE - milli + mode if mode else 0
    mode = size % _EIGHTH
    if not 0 < mode < len(MODES):
        return -1
    partition, free = WHOLE // MODES[mode], size - mode
    if partition < milli or free < partition:
        return -1
    return free - partition + mode if free > partition else 0
