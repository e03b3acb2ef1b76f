"""The program `modprobe`: the one place that starts it. Never through a shell."""

import shutil
import subprocess
from dataclasses import dataclass
from typing import Protocol

from controller.agent.backend import NotPermitted, NotSupported, RestartFailed

_TOLD_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended: its exit status and what it wrote to standard error."""

    status: int
    told: str


class ProgramRunner(Protocol):
    """Runs a program to its end. It blocks: call it where that does not matter."""

    def run(self, arguments: tuple[str, ...]) -> Outcome:
        """Run `modprobe` with these arguments. Raises NotSupported when there is none."""
        ...


class ModprobeRunner:
    """The host's `modprobe`, from PATH. It needs root, CAP_SYS_MODULE and the host's /lib/modules."""

    def run(self, arguments: tuple[str, ...]) -> Outcome:
        """Run it, however long it takes. Raises NotSupported when there is none."""
        program = shutil.which("modprobe")
        if program is None:
            raise NotSupported(
                "modprobe: not on PATH: use an image that has kmod, with the host's /lib/modules mounted"
            )
        done = subprocess.run([program, *arguments], check=False, capture_output=True, text=True)  # noqa: S603 - our words
        return Outcome(done.returncode, done.stderr.strip()[:_TOLD_CHARACTERS])


def reload_amdgpu(runner: ProgramRunner) -> None:
    """Unload the driver and load it again. Raises RestartFailed, NotPermitted or NotSupported.

    When unloading fails the driver is there as before; when loading fails there is none.
    """
    out = runner.run(("-r", "amdgpu"))
    if out.status:
        told = f"modprobe -r amdgpu: exit status {out.status}: {out.told}"
        if "not permitted" in out.told.lower() or "permission denied" in out.told.lower():
            raise NotPermitted(f"{told}: run the agent as root, in a privileged container")
        raise RestartFailed(f"{told}: the driver stays loaded; close all handles on the GPUs, then reload again")
    back = runner.run(("amdgpu",))
    if back.status:
        raise RestartFailed(
            f"modprobe amdgpu: exit status {back.status}: {back.told}: the node has no GPU driver now; read the "
            "kernel's log and load it (modprobe amdgpu), or reboot the node"
        )
