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


def is_bug(error: BaseException) -> bool:
    """Whether the exception, or one of a group, tells of a mistake in the code."""
    return any(isinstance(leaf, _BUGS) for leaf in leaves(error))


def is_terminal(error: BaseException) -> bool:
    """Whether it is a TerminalError, or a group of nothing else: a TaskGroup wraps what its tasks raise."""
    return consists_of(error, TerminalError)


def consists_of(error: BaseException, kind: type[BaseException]) -> bool:
    """Whether it is a `kind`, or a group of nothing else."""
    return all(isinstance(leaf, kind) for leaf in leaves(error))


def ends_process(error: BaseException, cancellation: type[BaseException]) -> bool:
    """Whether it is, or holds, what no worker may keep to itself: an exit, a lost lease.

    That is whatever `except Exception` lets pass, but for a `cancellation`, which may be one of the reconcile's own.
    """
    return any(not isinstance(leaf, (Exception, cancellation)) for leaf in leaves(error))


def text_of(error: BaseException) -> str:
    """What it says in one line; of a group, what each of its errors says, and not how many there are."""
    return "; ".join(str(leaf) or type(leaf).__name__ for leaf in leaves(error))


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions that a group holds, in groups of its own as well; of anything else that itself."""
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for inner in error.exceptions:
        yield from leaves(inner)
