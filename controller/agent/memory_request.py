"""A memory mode that was asked for and not reached: the next driver reload, whoever causes it, would bring it.

Asking for the present mode again is all that can be done against it, and some drivers ignore that: what a node is in
is read, and never taken from what was asked.
"""

from controller.agent.backend import BackendError, NodeHardware, PartitionBackend
from controller.gpu.mode import MemoryMode


class MemoryRequest:
    """The last memory mode that an agent asked its node for. The driver does not show what it was asked."""

    def __init__(self, backend: PartitionBackend) -> None:
        self._backend = backend
        self._asked: MemoryMode | None = None

    def ask(self, mode: MemoryMode) -> None:
        """`mode` is about to be asked for."""
        self._asked = mode

    async def take_back(self, hardware: NodeHardware) -> str:
        """Ask for the memory mode that `hardware` is in again, where another one stands.

        What remains to be told: "" when nothing was done. Raises nothing of the backend's: it is in the text.
        """
        present = {mode.memory for mode in hardware.modes.values()}
        if self._asked is None or len(present) != 1 or present == {self._asked}:
            return ""
        asked, (memory,) = self._asked, present
        try:
            await self._backend.set_memory_mode(memory)
        except BackendError as error:
            return f"memory mode {asked} may come with the next driver reload, and was not taken back ({error})"
        self._asked = memory
        return f"memory mode {memory} was asked for again in place of {asked}"
