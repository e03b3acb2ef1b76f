"""What a plan asks of AMD's own pods on its node."""

from datetime import datetime
from typing import Protocol


class NodePlugins(Protocol):
    """AMD's metrics exporter and device plugins of a node. Every call may be repeated, also after a crash."""

    async def pause(self, node: str, /) -> str | None:
        """Stop the metrics exporter; a sentence while it runs, None once it is gone or there is none."""
        ...

    async def resume(self, node: str, /) -> None:
        """Let the metrics exporter run again."""
        ...

    async def restart(self, node: str, since: datetime, /) -> str | None:
        """Restart plugins that started before `since`; a sentence while the new ones are not Ready, else None."""
        ...


class NoPlugins:
    """A node without any pod of AMD's."""

    async def pause(self, _node: str) -> str | None:
        """There is nothing to stop."""
        return None

    async def resume(self, _node: str) -> None:
        """There is nothing to let run."""

    async def restart(self, _node: str, _since: datetime) -> str | None:
        """There is nothing to restart."""
        return None
