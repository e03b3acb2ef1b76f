"""What a manager runs: the protocols, each with the little that the manager needs of it."""

from typing import Protocol, runtime_checkable


class Runnable(Protocol):
    """Something that runs until cancelled, or until its work is done."""

    async def run(self) -> None:
        """Run; what it raises stops the whole manager."""
        ...


@runtime_checkable
class Stoppable(Protocol):
    """A runnable that can end in order: `stop` makes `run` return soon. Others are cancelled."""

    def stop(self) -> None:
        """Ask for the end; returns at once."""
        ...


@runtime_checkable
class Serving(Protocol):
    """A runnable that is of use only once it listens."""

    async def wait_started(self, timeout: float) -> None:
        """Wait until it serves, at most `timeout` seconds; raises TimeoutError."""
        ...


class Elector(Protocol):
    """What decides which replica leads."""

    async def run(self) -> None:
        """Take part until `stop`. Raises LeaseLost when a lease that was held is lost."""
        ...

    def stop(self) -> None:
        """Give the lease back, soon; returns at once."""
        ...

    async def wait_leading(self) -> None:
        """Wait until this process leads, for ever if need be. Raises LeaseLost when that cannot be any more."""
        ...


class RunnableCancelled(RuntimeError):
    """A runnable ended as if cancelled although nobody cancelled it: a bug in it, and the manager stops."""
