"""What a command does whose answer cannot be written: nobody reads on, or there is no room for it."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, TextIO

from controller.cli.exit_codes import ExitCode

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def while_read() -> Iterator[None]:
    """Around a whole command: where its answer cannot be written it ends with exit code 1.

    Without a complaint when who reads has seen enough (``| head``), with a sentence otherwise.
    """
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        _to_nowhere(sys.stdout)
        sys.exit(ExitCode.FAILED)
    except OSError as error:
        if not _is_of_output(error):
            raise
        _to_nowhere(sys.stdout)
        _say_unwritten(error.strerror or str(error))


def need_output() -> None:
    """End the command with exit code 1 where stdout is closed: its answer would be lost without a word."""
    if sys.stdout is None:
        _say_unwritten("stdout is closed")


def _say_unwritten(why: str) -> None:
    try:
        sys.stderr.write(f"error: the answer cannot be written ({why}); make room, or send it elsewhere\n")
    except (AttributeError, OSError):  # it is closed, or has no room either: nobody can be told
        _to_nowhere(sys.stderr)
    sys.exit(ExitCode.FAILED)


def _is_of_output(error: OSError) -> bool:
    """Whether it came of stdout or stderr: what could not be written is mostly in the buffer still, and fails again."""
    if error.filename is not None:
        return False
    try:
        sys.stdout.flush()
        os.write(sys.stdout.fileno(), b"")  # refused where stdout was opened for reading
    except OSError:
        return True
    return error.errno in _NO_ROOM


def _to_nowhere(stream: TextIO | None) -> None:
    """What is left in the buffer goes nowhere, or the exit would complain."""
    if stream is not None:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
