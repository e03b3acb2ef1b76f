"""Getting at the package `amdsmi`: pure Python over ROCm's libamd_smi.so, which it loads while it is imported."""

import importlib
import io
from contextlib import redirect_stdout
from typing import Any

from controller.agent.backend import BackendError

# How a library that is not there or not of the package's version shows itself: releases before 7.14 fail on import with
# KeyError (none was found) or AttributeError (one without a function that the package binds), later ones when they are
# first called.
LOAD_ERRORS = (ImportError, OSError, KeyError, AttributeError)

_REMEDIES: tuple[tuple[type[Exception], str], ...] = (
    (ImportError, "install the Python package amdsmi"),
    (
        AttributeError,
        "the library is of another version than the Python package amdsmi: install both of one ROCm release",
    ),
)
_NO_LIBRARY = "install ROCm's amd-smi-lib and let ROCM_PATH name the folder that holds lib/libamd_smi.so"


class AmdsmiUnavailable(BackendError):
    """AMD SMI cannot be used on this host at all: read it from the driver's files. The text names the remedy."""


def load_amdsmi() -> Any:
    """The package, with its library loaded; nothing is asked of it yet. Raises AmdsmiUnavailable.

    A failed import can be repeated.
    """
    printed = io.StringIO()  # two lines in place of an error's text
    try:
        with redirect_stdout(printed):
            amdsmi = importlib.import_module("amdsmi")
            _touch(amdsmi)
    except LOAD_ERRORS as error:
        raise unavailable(error, printed.getvalue()) from error
    return amdsmi


def _touch(amdsmi: Any) -> None:
    """Make a release that defers its errors tell them now: its version is the one call that asks no driver."""
    try:
        amdsmi.amdsmi_get_lib_version()
    except amdsmi.AmdSmiException:
        return  # the library is there, and it does not tell its version
    except ValueError:
        return  # it told none, which the package does not expect


def unavailable(error: Exception, printed: str = "") -> AmdsmiUnavailable:
    """The error for one of LOAD_ERRORS. `printed`: what the import wrote to standard output."""
    told = printed.partition("\n")[0] or f"{type(error).__name__}: {error}"
    remedy = next((text for kind, text in _REMEDIES if isinstance(error, kind)), _NO_LIBRARY)
    return AmdsmiUnavailable(f"AMD SMI cannot be loaded ({told}): {remedy}")
