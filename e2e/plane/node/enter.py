"""Runs a program inside a node's namespaces, as if it were started there: `enter.py FILE PROGRAM [ARGUMENT...]`.

FILE tells the process that made the namespaces, as seen from outside. Unlike nsenter(1) the program ends when this
process is killed, so that whoever looks after this process looks after the program; SIGTERM and SIGINT are passed on,
and the exit code is the program's (128 plus its number for a signal). A script of its own, of the standard library.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_NOT_THERE = 127
# The process namespace is that of children: the maker itself stays outside. The mount namespace comes last, because
# with it the paths below /proc change their meaning.
_NAMESPACES = ("pid_for_children", "ipc", "uts", "net", "mnt")


def enter(pid: int) -> None:
    """Move this process, and for the process namespace its children, to the namespaces. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    here = Path.cwd()
    opened = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in _NAMESPACES]
    for name, descriptor in zip(_NAMESPACES, opened, strict=True):
        if libc.setns(descriptor, 0) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the {name} namespace of process {pid}")
        os.close(descriptor)
    os.chdir(here)


def become(argv: list[str]) -> None:
    """Be the program, or end as a shell does when there is none."""
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        sys.stderr.write(f"{argv[0]}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(_NOT_THERE)


def main() -> int:
    """The program's exit code."""
    maker, argv = Path(sys.argv[1]), sys.argv[2:]
    enter(int(maker.read_text(encoding="ascii")))
    libc = ctypes.CDLL(None)
    signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT}
    )  # none may come before it can be passed on
    child = os.fork()
    if child == 0:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
        become(argv)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda passed, _frame: os.kill(child, passed))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
