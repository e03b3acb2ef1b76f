"""How a reconcile ended, and what kind of failure an exception is. Pure."""

from collections.abc import Iterator
from enum import StrEnum

from controller.runtime.reconcile import TerminalError


class Outcome(StrEnum):
    """The values of the label `result`, as controller-runtime has them."""

    SUCCESS = "success"
    ERROR = "error"
    REQUEUE = "requeue"
    REQUEUE_AFTER = "requeue_after"


# What Go would panic about: nothing that a server answers raises one of these, only code that is wrong.
_BUGS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    ImportError,
    LookupError,
    NameError,
    NotImplementedError,
    RecursionError,
    ReferenceError,
    SyntaxError,
    SystemError,
    TypeError,
)
# What must end the process, also when it comes in a group with other errors.
_EXITS = (KeyboardInterrupt, SystemExit, GeneratorExit)


def is_bug(error: BaseException) -> bool:
    """Whether the exception, or one of a group, tells of a mistake in the code."""
    return any(isinstance(leaf, _BUGS) for leaf in _leaves(error))


def is_terminal(error: BaseException) -> bool:
    """Whether it is a TerminalError, or a group of nothing else: a TaskGroup wraps what its tasks raise."""
    return all(isinstance(leaf, TerminalError) for leaf in _leaves(error))


def ends_process(error: BaseException) -> bool:
    """Whether it is, or holds, a request to end that no worker may keep to itself."""
    return any(isinstance(leaf, _EXITS) for leaf in _leaves(error))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for inner in error.exceptions:
        yield from _leaves(inner)
