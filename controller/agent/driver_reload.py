"""Reloading the driver: through AMD SMI where it can, else by modprobe.

ROCm 7.0 to 7.x have `amdsmi_gpu_driver_reload`, which does the same two modprobe calls and waits for the driver; ROCm
10 took it away. Before 7.0 there was none either: setting the memory mode reloaded by itself.
"""

from typing import Any

import structlog

from controller.agent.amdsmi_session import visit
from controller.agent.backend import DriverGone, NotSupported
from controller.agent.modprobe import ProgramRunner, reload_amdgpu

CALL = "amdsmi_gpu_driver_reload"

_log = structlog.get_logger(__name__)


class DriverReload:
    """One way to reload, chosen anew each time: a library may have the call and not support it here."""

    def __init__(self, amdsmi: Any, modprobe: ProgramRunner) -> None:
        self._amdsmi = amdsmi
        self._modprobe = modprobe

    def run(self) -> None:
        """Reload, however long it takes. Raises RestartFailed, NotPermitted, NotSupported."""
        try:
            self._by_amdsmi()
        except (NotSupported, DriverGone) as error:
            # no driver is there to be asked after a reload that ended half way: loading it is what is left
            _log.info("the driver is reloaded by modprobe", reason=str(error))
            reload_amdgpu(self._modprobe)

    def _by_amdsmi(self) -> None:
        if not hasattr(self._amdsmi, CALL):
            raise NotSupported(f"this release of the Python package amdsmi has no {CALL}")
        with visit(self._amdsmi, devices_go=True) as session:
            session.call(CALL)
