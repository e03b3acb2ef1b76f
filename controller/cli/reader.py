"""What a command that prints does when nobody reads on."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Final

_FAILED: Final = 1


def while_read(answer: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """The answer's exit code; 1, and no complaint, when who reads has seen enough (``| head``)."""
    try:
        code = answer(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # what is left in the buffer goes nowhere, or the exit would complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    return code
