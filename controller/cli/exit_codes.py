"""What the exit code of a command says. The table in docs/cli.md is made of this one."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final


class ExitCode(IntEnum):
    """Every code that a command ends with by itself."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    LOOKED_ONLY = 3
    WOULD_WAIT = 4
    INTERRUPTED = 130


MEANINGS: Final[Mapping[ExitCode, str]] = MappingProxyType(
    {
        ExitCode.DONE: "It was answered, or done; `top` until somebody ended it.",
        ExitCode.FAILED: "The input is fine, and it could not be done, or not all of it: the cluster does not answer, "
        "a right is missing, a person said no, a time limit came first. Also when who reads the answer has gone.",
        ExitCode.BAD_INPUT: "The input cannot be used: an unknown verb, option or name, a file that is not one, a "
        "kubeconfig that cannot be read, files for `plan` in which nothing asks for a GPU; or somebody has to be "
        "asked and nobody is there. Nothing was done.",
        ExitCode.LOOKED_ONLY: "With `-o json` or `-o yaml` and without `--yes`: what would be done was shown, and not "
        "done.",
        ExitCode.WOULD_WAIT: "With `plan --require-placed`: the plan was made and shown, and a pod of the files would "
        "wait.",
        ExitCode.INTERRUPTED: "Ended by Ctrl-C. What was done is done; run it again to go on.",
    }
)


def table() -> str:
    """The codes for a page."""
    rows = (f"| {code.value} | {MEANINGS[code]} |" for code in ExitCode)
    return "\n".join(["| exit code | meaning |", "| --- | --- |", *rows])
