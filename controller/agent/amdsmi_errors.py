"""From AMD SMI's statuses to the backend's error tree: one row a status that calls for a reaction of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from controller.agent.backend import (
    BackendError,
    Busy,
    DriverGone,
    NotPermitted,
    NotSupported,
    RestartFailed,
    SettingUnavailable,
)

NOT_SUPPORTED = 2

# What the package does to a value that it did not expect: profile_config without a profile is an UnboundLocalError, an
# unknown enum a KeyError, more resources than its table holds an IndexError, text that is no UTF-8 a ValueError. The
# others are a release's own mistakes.
PACKAGE_FAULTS = (UnboundLocalError, KeyError, IndexError, ValueError, AttributeError, TypeError, OSError)


class AmdsmiFailure(BackendError):
    """A status without a reaction of its own. `code` is AMD SMI's number, None when the Python package failed."""

    def __init__(self, message: str, code: int | None) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Reaction:
    error: type[BackendError]
    remedy: str


_NO_DRIVER = _Reaction(DriverGone, "load amdgpu (modprobe amdgpu), or wait until it is back from a reload")

REACTIONS: Mapping[int, _Reaction] = MappingProxyType(
    {
        NOT_SUPPORTED: _Reaction(NotSupported, "this device or its driver cannot do that"),
        10: _Reaction(
            NotPermitted, "run the agent as root, in a privileged container; a guest's GPU is set on its host"
        ),
        18: _NO_DRIVER,
        30: _Reaction(Busy, "end whatever has the GPU open, exporters included"),
        32: _NO_DRIVER,
        34: _NO_DRIVER,
        54: _Reaction(RestartFailed, "close all handles on the GPUs, read the kernel's log, then reload again"),
        55: _Reaction(SettingUnavailable, "ask for a mode that the GPU lists as allowed"),
    }
)


def status_of(error: Exception) -> int | None:
    """AMD SMI's number for an error of the package, None when it has none."""
    code = getattr(error, "err_code", None)
    return code if isinstance(code, int) else None


def translated(error: Exception, what: str, gpus: frozenset[str]) -> BackendError:
    """The error to raise for one that the package raised while it did `what` to `gpus`."""
    code = status_of(error)
    reaction = REACTIONS.get(code) if code is not None else None
    if reaction is None:
        return AmdsmiFailure(f"{what}: {_told(error)}: read the kernel's log, then try again", code)
    message = f"{what}: {_told(error)}: {reaction.remedy}"
    return Busy(message, gpus) if reaction.error is Busy else reaction.error(message)


def _told(error: Exception) -> str:
    info: Any = getattr(error, "err_info", None)
    return str(info) if info else f"{type(error).__name__} {' '.join(str(error).split())}".strip()
