"""What an agent knows of its hardware at this moment: the last reading, and why there is no newer one."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import structlog

from api.v1beta1.gpu_node import AssignedDevice
from controller.agent.backend import BackendError, NodeHardware, NodeUse, NotSupported, PartitionBackend
from controller.agent.figures import NO_USE
from controller.runtime.clock import Clock

MEASURE_SECONDS = 1.5
"""How long a measurement for metrics may take: whoever collects them waits no longer than two seconds."""

KEPT_SECONDS = 30.0
"""How long the kubelet's last answer is told while it does not answer: it restarts in less, and takes nothing back."""


class Assignments(Protocol):
    """Who was given what, as the kubelet tells it."""

    async def assigned(self, hardware: NodeHardware) -> tuple[AssignedDevice, ...] | None:
        """Every device of every container, in a stable order; None where the kubelet does not tell."""
        ...


class Observation:
    """The readings of one node. `read` asks what the GPUs are, `sample` who uses them, `measure` for what.

    `hardware`: the last that could be read. `problem`: why it cannot be read now, None when it can. `processes`: how
    many others have a GPU open, by address; None where the backend cannot tell. `assigned`: what the kubelet gave to
    whom, None where it does not tell, and has not for KEPT_SECONDS. `last_assigned`: the same by its last answer,
    however old: what it gave to pods is theirs while it is away. `refused`: the hardware would not be measured when
    that was tried last, and nobody has read it since.
    """

    def __init__(self, backend: PartitionBackend, assignments: Assignments | None, node: str, clock: Clock) -> None:
        self._backend = backend
        self._assignments = assignments
        self._clock = clock
        self._log = structlog.get_logger(__name__).bind(node=node)
        self.hardware: NodeHardware | None = None
        self.problem: BackendError | None = None
        self.refused = False
        self._unmeasured = ""
        self.processes: Mapping[str, int] | None = None
        self.assigned: tuple[AssignedDevice, ...] | None = None
        self.last_assigned: tuple[AssignedDevice, ...] = ()
        self._answered = 0.0

    def take(self, hardware: NodeHardware) -> None:
        """`hardware` was read just now by somebody else."""
        self.hardware, self.problem, self.refused = hardware, None, False

    async def read(self) -> None:
        """Read the hardware anew; an error becomes the problem."""
        try:
            self.take(await self._backend.read())
        except BackendError as error:
            self._log.error("hardware cannot be read", error=str(error))
            self.problem = error

    async def sample(self) -> None:
        """Read processes and what the kubelet gave to whom. What cannot be told is not known afterwards."""
        self.processes = await self._processes()
        await self.ask_kubelet()

    async def measure(self) -> NodeUse:
        """The use of this moment; NO_USE where it cannot be had in time.

        Processes are not asked for besides: to list them a driver looks at all of the host's.
        """
        use, why = NO_USE, ""
        self.refused = False
        try:
            async with asyncio.timeout(MEASURE_SECONDS):
                use = await self._backend.usage()
        except BackendError as error:
            self.refused, why = True, str(error)
        except TimeoutError:
            why = f"the driver does not answer within {MEASURE_SECONDS:g} s"
        if why and not self._unmeasured:
            self._log.warning("use cannot be measured", reason=why)
        self._unmeasured = why
        return use

    async def ask_kubelet(self) -> None:
        """Read what the kubelet gave to whom."""
        if self._assignments is None or self.hardware is None:
            return
        answer = await self._assignments.assigned(self.hardware)
        if answer is not None:
            self.assigned = self.last_assigned = answer
            self._answered = self._clock.monotonic()
        elif self._clock.monotonic() - self._answered >= KEPT_SECONDS:
            self.assigned = None

    async def _processes(self) -> Mapping[str, int] | None:
        try:
            found = await self._backend.processes()
        except NotSupported:
            return None
        except BackendError as error:
            self._log.debug("no processes", error=str(error))
            return None
        return {bdf: len(who) for bdf, who in found.items()}
