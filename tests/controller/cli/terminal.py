"""A terminal on which a program runs, and a person who reads and types."""

import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from fcntl import ioctl
from pathlib import Path


class Terminal:
    """Of 30 lines and 120 columns. `shown`: all that came. `environment`: adds to ours."""

    def __init__(self, *command: str | Path, environment: Mapping[str, str] | None = None) -> None:
        self._ours, self.theirs = pty.openpty()
        ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
        self.before = termios.tcgetattr(self.theirs)
        self.shown = ""
        end = self.theirs
        given = {**os.environ, "TERM": "xterm-256color", **(environment or {})}
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            [*map(str, command)], env=given, start_new_session=True, stdin=end, stdout=end, stderr=end
        )

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def wait_for(self, text: str, limit: float = 60.0) -> None:
        """Read until it is shown."""
        deadline = time.monotonic() + limit
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown[-2000:]
            self._read()

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        """End it and read what is left; its exit code."""
        self.process.send_signal(how)
        code = self.process.wait(30)
        while self._read():
            pass
        return code

    def _read(self) -> bool:
        if not select.select([self._ours], [], [], 0.1)[0]:
            return False
        self.shown += os.read(self._ours, 65536).decode(errors="replace")
        return True
