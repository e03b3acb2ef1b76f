"""Long searches in steps: a generator that pauses in between, so that who asks can see to other things meanwhile.

A search in steps reads frozen facts and keeps what it tries to itself, so it finds the same however long its pauses
are. Who has nothing else to do has it finished at once.
"""

from collections.abc import Generator
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Steps: TypeAlias = Generator[None, None, T]
"""A pause after each step; the outcome is what it returns."""


def finished(work: Steps[T]) -> T:
    """The outcome, without a pause."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            outcome: T = done.value
            return outcome
