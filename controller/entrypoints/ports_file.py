"""Which ports a process took, told to whoever started it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import structlog


class PortsFile:
    """Logs the ports of `process`, and writes them as JSON to `path` (None: nowhere), once `ports` answers them.

    The file appears whole: a reader never sees a part of it.
    """

    def __init__(self, process: str, path: Path | None, ports: Callable[[], Awaitable[Mapping[str, int]]]) -> None:
        self._process = process
        self._path = path
        self._ports = ports

    def __str__(self) -> str:
        return f"ports file of the {self._process}"

    async def run(self) -> None:
        """Tell, and wait until cancelled. Raises OSError when the file cannot be written."""
        ports = await self._ports()
        structlog.get_logger(__name__).info("listening", process=self._process, **ports)
        if self._path is not None:
            temporary = self._path.with_suffix(".tmp")
            temporary.write_text(json.dumps(dict(ports)))
            temporary.replace(self._path)
        await asyncio.Event().wait()
