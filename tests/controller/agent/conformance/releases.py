"""Other releases of the package, made from the installed one by leaving calls out."""

from types import SimpleNamespace
from typing import Any


def without(amdsmi: Any, *calls: str) -> Any:
    """The package as a release that has not got these calls."""
    return SimpleNamespace(**{name: value for name, value in vars(amdsmi).items() if name not in calls})


def with_calls(amdsmi: Any, **calls: Any) -> Any:
    """The package with other calls in place of its own."""
    return SimpleNamespace(**{**vars(amdsmi), **calls})
