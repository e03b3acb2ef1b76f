"""A visit to AMD SMI: initialise, list the devices, ask, shut down. Nothing of one visit is kept for the next.

Handles die with every change of a mode and every reload, and a library that stays initialised holds the devices open,
which makes the next reload fail. Devices are known by the GPU's address and the partition's number.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from controller.agent.amdsmi_errors import PACKAGE_FAULTS, AmdsmiFailure, translated
from controller.agent.amdsmi_library import LOAD_ERRORS, unavailable
from controller.agent.backend import BackendError, DriverGone, NotSupported, SettingUnavailable

_BDF = re.compile(r"([0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2})\.[0-9a-f]", re.IGNORECASE)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Device:
    """One partition as AMD SMI lists it, for as long as the visit lasts. An undivided GPU is its partition 0."""

    bdf: str
    partition: int
    handle: Any

    def __str__(self) -> str:
        return f"GPU {self.bdf} partition {self.partition}"


class Session:
    """The library while it is initialised."""

    def __init__(self, amdsmi: Any) -> None:
        self.amdsmi = amdsmi

    def has(self, call: str) -> bool:
        """Whether this release of the package has that call."""
        return hasattr(self.amdsmi, call)

    def call(self, call: str, device: Device | None = None, *arguments: Any) -> Any:
        """What the library answers. Raises BackendError's tree."""
        what = f"{call} on {device}" if device else call
        function = getattr(self.amdsmi, call, None)
        if function is None:
            raise NotSupported(f"{what}: this release of the Python package amdsmi has no such call: use a newer one")
        try:
            return function(*([device.handle] if device else []), *arguments)
        except (self.amdsmi.AmdSmiException, *PACKAGE_FAULTS) as error:
            raise translated(error, what, frozenset({device.bdf} if device else ())) from error

    def told(self, call: str, device: Device, *arguments: Any) -> Any | None:
        """What the library answers, None where it does not know. Raises DriverGone."""
        try:
            return self.call(call, device, *arguments)
        except DriverGone:
            raise
        except BackendError as error:
            _log.debug("not told", call=call, device=str(device), error=str(error))
            return None

    def devices(self) -> tuple[Device, ...]:
        """All partitions by address and number. Raises BackendError's tree, also for two that are the same."""
        found: dict[tuple[str, int], Device] = {}
        for handle in self.call("amdsmi_get_processor_handles"):
            device = self._identified(handle)
            if found.setdefault((device.bdf, device.partition), device) is not device:
                raise AmdsmiFailure(
                    f"AMD SMI lists {device} twice: it cannot tell the partitions of this GPU apart; install a newer "
                    "ROCm",
                    None,
                )
        return tuple(found[key] for key in sorted(found))

    def primary(self, bdf: str) -> Device:
        """The partition through which a GPU is changed: its first. Raises SettingUnavailable for a GPU not here."""
        devices = self.devices()
        for device in devices:
            if device.bdf == bdf:
                return device
        here = ", ".join(dict.fromkeys(device.bdf for device in devices)) or "no GPU"
        raise SettingUnavailable(f"GPU {bdf}: not on this node; it has {here}")

    def _identified(self, handle: Any) -> Device:
        unnamed = Device("(unknown)", 0, handle)
        text = str(self.call("amdsmi_get_gpu_device_bdf", unnamed))
        address = _BDF.fullmatch(text)
        if address is None:
            raise AmdsmiFailure(f"AMD SMI tells the PCI address {text!r}: install the ROCm release of the driver", None)
        # the function is masked: the driver writes the partition there, so that it names no other GPU
        named = Device(f"{address[1].lower()}.0", 0, handle)
        return Device(named.bdf, self._partition(named), handle)

    def _partition(self, device: Device) -> int:
        number = (self.told("amdsmi_get_gpu_kfd_info", device) or {}).get("current_partition_id")
        if isinstance(number, int):
            return number
        profile = self.told("amdsmi_get_gpu_accelerator_partition_profile", device) or {}
        return next((number for number in profile.get("partition_id") or () if isinstance(number, int)), 0)


@contextmanager
def visit(amdsmi: Any, *, devices_go: bool = False) -> Iterator[Session]:
    """A session. Raises DriverGone without a driver, AmdsmiUnavailable without a library.

    `devices_go`: the visit takes the devices from under the library, so that what it says on leaving means nothing.
    """
    session = Session(amdsmi)
    try:
        amdsmi.amdsmi_init(amdsmi.AmdSmiInitFlags.INIT_AMD_GPUS)
    except amdsmi.AmdSmiException as error:
        raise translated(error, "amdsmi_init", frozenset()) from error
    except LOAD_ERRORS as error:
        raise unavailable(error) from error  # a release that loads its library with the first call
    try:
        yield session
    except BaseException:
        _leave(session)  # the error is worth more than what the library says now
        raise
    if devices_go:
        _leave(session)
    else:
        session.call("amdsmi_shut_down")


def _leave(session: Session) -> None:
    try:
        session.call("amdsmi_shut_down")
    except BackendError as error:
        _log.debug("shut down", error=str(error))
