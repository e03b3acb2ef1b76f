"""Loggers that load structlog with their first message: with it come rich and pygments, a tenth of a command's start.

A command reads the cluster by the operator's own informers and tables, which say something only when something is
wrong. In: the name of a module, and how structlog is to be set up. Out: structlog's logger, once there is a message.
"""

import sys
from collections.abc import Callable
from typing import Any, Final, NamedTuple

_NUMBERS: Final = {"debug": 10, "info": 20, "warning": 30}
"""Of levels that may be too low to be written, as logging numbers them."""


class Logger:
    """As `structlog.get_logger(name)`, with values that are bound to it."""

    __slots__ = ("_bound", "_name")

    def __init__(self, name: str, **bound: object) -> None:
        self._name: Final = name
        self._bound: Final = bound

    def bind(self, **values: object) -> "Logger":
        """A logger that says these as well."""
        return Logger(self._name, **{**self._bound, **values})

    def __getattr__(self, method: str) -> Any:
        if _waiting and method in _NUMBERS and _NUMBERS[method] < _waiting[0].level:
            return _say_nothing
        _set_up()
        import structlog

        return getattr(structlog.get_logger(self._name).bind(**self._bound), method)


class _SetUp(NamedTuple):
    level: int
    configure: Callable[[], None]


_waiting: Final[list[_SetUp]] = []
"""What is to be done before the first message: one at most."""


def set_up_by(configure: Callable[[], None], level: int) -> None:
    """Have structlog configured by this: at once where it is loaded, else before the first message of this level."""
    _waiting[:] = [_SetUp(level, configure)]
    if "structlog" in sys.modules:
        _set_up()


def _set_up() -> None:
    while _waiting:
        _waiting.pop().configure()


def _say_nothing(_: str, **__: object) -> None:
    pass
