"""Progress of a long job on stderr: which step of how many, for how long, and how long it usually takes.

On a terminal one line is rewritten; elsewhere (CI, a pipe) a plain line appears every fifteen seconds, so that no
reader wonders whether the job hangs and no log fills.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

_LIVE_SECONDS = 0.2
_PLAIN_SECONDS = 15.0


def duration(seconds: float) -> str:
    """Seconds as a person says them: "9s", "2m05s"."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


class Step:
    """One step under way; call `tick` often, it prints seldom."""

    def __init__(self, progress: "Progress", title: str, expected_seconds: float) -> None:
        self._progress = progress
        self._title = title
        self._expected_seconds = expected_seconds
        self._started = progress.clock()
        self._printed = self._started

    @property
    def elapsed_seconds(self) -> float:
        """Time since the step began."""
        return self._progress.clock() - self._started

    def tick(self, detail: str = "") -> None:
        """Show elapsed and expected time, and what the step is doing, if it is time to."""
        now = self._progress.clock()
        if now - self._printed < self._progress.interval_seconds:
            return
        self._printed = now
        usual = f" of usually {duration(self._expected_seconds)}" if self._expected_seconds else ""
        self._progress.show(f"{self._title}: {duration(now - self._started)}{usual}", detail)


class Progress:
    """Writes steps to `stream`; `live` None means: live exactly when the stream is a terminal."""

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        live: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty() if live is None else live
        self.clock = clock
        self.interval_seconds = _LIVE_SECONDS if self._live else _PLAIN_SECONDS

    @contextmanager
    def step(self, index: int, total: int, title: str, expected_seconds: float = 0) -> Iterator[Step]:
        """Announce step `index` of `total` (from 1), and how long it took when it ends without an error."""
        heading = f"[{index}/{total}] {title}"
        usual = f" (usually {duration(expected_seconds)})" if expected_seconds else ""
        self.show(heading + usual)
        step = Step(self, heading, expected_seconds)
        yield step
        self.line(f"{heading}: done in {duration(step.elapsed_seconds)}")

    def show(self, text: str, detail: str = "") -> None:
        """Write a line that the next one replaces on a terminal."""
        whole = f"{text}  {detail}".rstrip()
        if not self._live:
            self.line(whole)
            return
        width = shutil.get_terminal_size().columns - 1
        self._stream.write(f"\r\x1b[K{whole[:width]}")
        self._stream.flush()

    def line(self, text: str) -> None:
        """Write a line that stays."""
        self._stream.write(f"\r\x1b[K{text}\n" if self._live else f"{text}\n")
        self._stream.flush()
