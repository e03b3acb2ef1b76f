"""What a command that prints does when nobody reads on."""

import os
import sys
from collections.abc import Callable, Sequence

from controller.cli.exit_codes import ExitCode


def while_read(answer: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """The answer's exit code; 1, and no complaint, when who reads has seen enough (``| head``)."""
    try:
        code = answer(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # what is left in the buffer goes nowhere, or the exit would complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    return code
